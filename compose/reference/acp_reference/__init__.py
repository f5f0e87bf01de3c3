"""The reference app that stands for Analyst Copilot: ingest, its worker, and agents."""
