"""Drift: what on this host is not as its state says, and how it is put right."""
