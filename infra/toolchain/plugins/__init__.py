"""Drop-in Pulumi provider plugins for sites that cannot download the official ones."""
