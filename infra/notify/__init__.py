"""Notices on their way: kept on disk, sent in the background, each delivered once."""
