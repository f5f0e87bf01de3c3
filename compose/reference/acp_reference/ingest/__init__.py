"""acp-ingest: documents in, chunks and embeddings stored, search over them."""
