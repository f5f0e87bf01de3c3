"""The commands of a click group by name, also those that are imported when they are asked for."""

from __future__ import annotations

import click


def subcommands(group: click.Group) -> dict[str, click.Command]:
    """Return them; each name that the group lists must have its command."""
    ctx = click.Context(group)
    found = {name: group.get_command(ctx, name) for name in group.list_commands(ctx)}
    assert None not in found.values(), found
    return {name: command for name, command in found.items() if command is not None}
