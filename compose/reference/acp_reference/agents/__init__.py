"""acp-agents: answers questions with the model endpoint and what was ingested."""
