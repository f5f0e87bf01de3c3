"""Everything that leaves the process: programs, SSH, HTTP, git."""
