"""The documentation job: deployment history and present state of stacks as Markdown and as one HTML page."""
