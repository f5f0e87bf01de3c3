"""Pulumi components: each declares resources and decides nothing."""
