"""The clearance: on a host that has the keys of the gate, only what the gate signed is started."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import HostctlError
from .files import write_atomic
from .runner import Runner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .fields import Fields
    from .host import Host
    from .paths import Paths

SIGNER = "acp-release"
FORMAT = 1
VERIFY_SECONDS = 10.0
CLOCK_SKEW_SECONDS = 900
"""How far the clock of who signed may be ahead of this host's."""


@dataclass(frozen=True)
class Clearance:
    """The text that the gate signed, and its signature by `ssh-keygen -Y sign`."""

    document: str
    signature: str


def read_clearance(fields: Fields) -> Clearance | None:
    """Read the optional field `clearance`."""
    inner = fields.object("clearance", optional=True)
    if inner is None:
        return None
    clearance = Clearance(document=inner.text("document"), signature=inner.text("signature"))
    inner.close()
    return clearance


def set_signers(paths: Paths, keys: Sequence[str]) -> bool:
    """Make `keys` the ones whose clearances count, none for not asking for one; return whether that is a change."""
    text = "".join(f'{SIGNER} namespaces="{SIGNER}" {" ".join(key.split()[:2])}\n' for key in keys)
    before = paths.signers.read_text(encoding="utf-8") if paths.signers.exists() else ""
    if text == before:
        return False
    if text:
        write_atomic(paths.signers, text)
    else:
        paths.signers.unlink()
    return True


def require_clearance(host: Host, clearance: Clearance | None, raw_spec: dict[str, Any]) -> bool:
    """Raise `not_cleared` unless this very release is signed, and its clearance has not run out.

    Return whether it is cleared for a warm start only: with the containers that are kept of it.

    The text that was signed holds the whole release document, so that nothing in it can be exchanged: no image, no
    command, no limit.
    """
    if not host.paths.signers.exists():
        return False
    if clearance is None:
        raise _refusal("the release comes without the clearance of the gate")
    _verify(host, clearance)
    try:
        document = json.loads(clearance.document)
    except ValueError:
        raise _refusal("the clearance is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _refusal("the clearance is of a format that this hostctl does not know")
    if document.get("spec") != raw_spec:
        raise _refusal("the clearance is for another release document than the one to be started")
    if sorted(document.get("images") or []) != sorted(raw_spec.get("images") or []):
        raise _refusal("the clearance allows other images than the release has")
    earliest, latest = (document.get(f"{name}_unix_seconds", 0) for name in ("issued", "expires"))
    if not earliest - CLOCK_SKEW_SECONDS <= host.clock.unix() <= latest:
        raise _refusal("the clearance has run out, or the clock of this host is wrong")
    return document.get("warm_only") is True


def refuse_cold() -> HostctlError:
    """Return the error for a release that would have to be pulled, and was cleared without a look at the registry."""
    return _refusal("the gate could not ask the registry: only containers kept of this release may start, and none are")


def _verify(host: Host, clearance: Clearance) -> None:
    """Raise unless a key of this host made the signature."""
    with tempfile.NamedTemporaryFile("w", dir=host.paths.base, prefix=".signature.", encoding="utf-8") as file:
        file.write(clearance.signature)
        file.flush()
        keys = str(host.paths.signers)
        argv = ["ssh-keygen", "-Y", "verify", "-f", keys, "-I", SIGNER, "-n", SIGNER, "-s", file.name]
        finished = Runner().run(argv, stdin=clearance.document, timeout_seconds=VERIFY_SECONDS)
    if finished.status != 0:
        raise _refusal("the clearance is not signed by a key that this host knows, or was changed afterwards")


def _refusal(message: str) -> HostctlError:
    return HostctlError("not_cleared", message)
