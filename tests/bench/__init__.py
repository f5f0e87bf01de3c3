"""Measured figures of a release, and of raw Compose beside it on the same host in the same run."""
