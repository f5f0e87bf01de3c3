"""Faults while a release is made, each under constant traffic: one row each, what was expected and what was seen."""
