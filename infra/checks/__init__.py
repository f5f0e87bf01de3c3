"""Checks judge a release: of the candidate before traffic, of the public address after."""
