"""The edge: one HAProxy that owns the switch between releases."""
