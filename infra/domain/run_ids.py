"""Run ids: that of one update, or that of a CI run's attempt, which the ids of the updates in it begin with."""

from __future__ import annotations


def are_same_run(one: str, other: str) -> bool:
    """Return whether two ids are of the same update, or one is of the attempt that the other's update was in."""
    whole, part = sorted((one, other), key=len)
    return one == other or (whole != "" and part.startswith(f"{whole}-"))
