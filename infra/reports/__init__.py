"""Reports for people: one page per release, whole in itself."""
