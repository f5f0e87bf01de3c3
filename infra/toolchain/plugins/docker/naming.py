"""Names given by the plugin, and the note in the inputs that says which values it gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.toolchain.plugins.common.ids import with_random_hex
from infra.toolchain.plugins.common.values import Properties, plain, wrap

if TYPE_CHECKING:
    from pulumi.provider.experimental.provider import CheckRequest

DEFAULTED = "__defaults"
NAME_DIGITS = 7


def checked_inputs(request: CheckRequest, defaults: dict[str, str]) -> Properties:
    """Return the inputs with `defaults` and, if there is none, a name; the list of both is kept with them."""
    inputs = {key: value for key, value in request.new_inputs.items() if value.value is not None}
    given = {key: value for key, value in defaults.items() if key not in inputs}
    if "name" not in inputs:
        given["name"] = _previous_name(request.old_inputs) or with_random_hex(f"{request.name}-", NAME_DIGITS)
    inputs.update({key: wrap(value) for key, value in given.items()})
    inputs[DEFAULTED] = wrap(sorted(given))
    return inputs


def named_by_user(inputs: Properties) -> bool:
    """Say whether the name is the user's: then the old object must go before the new one can have it."""
    return DEFAULTED in inputs and "name" not in plain(inputs[DEFAULTED])


def _previous_name(old_inputs: Properties) -> str | None:
    """Return the name given last time."""
    if DEFAULTED not in old_inputs or "name" not in plain(old_inputs[DEFAULTED]):
        return None
    return str(plain(old_inputs["name"]))
