"""Drop-in for pulumi-docker 5.2.0: networks, volumes and the digest of a published tag."""
