"""acp-worker: turns queued documents into chunks and embeddings."""
