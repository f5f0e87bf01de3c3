"""Operator commands: thin around the same driver, checks and hostctl that `pulumi up` uses."""
