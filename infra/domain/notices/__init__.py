"""What people and machines are told of a release, and how each receiver wants it written."""
