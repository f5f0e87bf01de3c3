"""What every service of the reference app shares."""
