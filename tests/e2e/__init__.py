"""Releases for real: `pulumi up` to a lab, looked at from outside."""
