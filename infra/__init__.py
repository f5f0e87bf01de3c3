"""Analyst Copilot release program: one Pulumi stack per environment."""
