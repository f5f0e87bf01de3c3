"""Runs the repository's GitHub workflows on this machine: what a runner does with their YAML, and nothing more."""
