"""The repository's own rules for its GitHub workflows."""
