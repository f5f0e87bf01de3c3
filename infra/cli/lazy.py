"""Commands that are imported when they are asked for: to import all takes longer than most of what they do."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from infra.cli.options import ErrorGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click


class LazyGroup(ErrorGroup):
    """A group whose `lazy` has `package.module:attribute` of each command by name."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, str], **attributes: Any) -> None:
        """Import none yet."""
        super().__init__(*arguments, **attributes)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None when there is none of that name."""
        if cmd_name in self._lazy and cmd_name not in self.commands:
            module, _, attribute = self._lazy[cmd_name].partition(":")
            self.add_command(getattr(import_module(module), attribute), cmd_name)
        return super().get_command(ctx, cmd_name)
