"""Set-up of a machine: from nothing to a virtual environment with every tool in its pinned version.

`up`, `down` and `status` use the standard library only, as they run before anything is installed.
"""
