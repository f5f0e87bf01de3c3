"""`revert`: back to the release before, from any phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import trial
from ..errors import HostctlError
from ..lease import read_lease
from ..readiness import seconds_since
from ..rollback import return_to_previous
from ..spec import RELEASE, RELEASE_HINT

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host

WAY_BACK_SECONDS = 3600.0
"""How long after its commit a release is taken back without a clearance, where the host asks for one: as long as a
clearance counts. An update asks for it within minutes; later, and by whom, is for the gate to judge."""


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """End the trial of a release, or, after its commit, bring the previous release back, unless `trial_only`.

    A way back that was cut off goes on. Where the host asks for clearances, a commit that is more than an hour old, or
    that another trial came after, is not taken back: `not_cleared`.
    """
    release = fields.text("release", pattern=RELEASE, hint=RELEASE_HINT)
    reason = fields.text("reason", "asked for")
    trial_only = fields.flag("trial_only", default=False)
    hanging = fields.texts("hanging", optional=True)
    lease = read_lease(fields)
    fields.done()
    with host.changing(f"revert {release}", lease, is_urgent=True):
        state = host.state
        if state.trial is not None and state.trial.release == release:
            return {"release": release, "reverted": True, **trial.revert(host, reason, hanging=hanging)}
        has_other_trial = state.trial is not None and state.trial.release != state.previous
        if state.current == release and state.previous and not has_other_trial and not trial_only:
            _require_recent(host, release)
            return {"release": release, "reverted": True, **return_to_previous(host, release, state.previous, reason)}
        last = state.last_trial or {}
        is_own = last.get("release") == release and last.get("outcome") == "reverted"
        return {
            "release": release,
            "reverted": False,
            "serving": state.current,
            "trouble": last.get("reason", "") if is_own else "",
            "restore_seconds": 0.0,
            "seconds": 0.0,
        }


def _require_recent(host: Host, release: str) -> None:
    """Raise `not_cleared` when no update can still be asking for the release before `release`, and it is asked for.

    Only what is surely old is refused: a clock that was put back makes a commit younger, and nobody who only has the
    deploy key can put it back.
    """
    state = host.state
    if not host.paths.signers.exists() or (state.trial is not None and state.trial.is_return):
        return
    last = state.last_trial or {}
    is_last = last.get("release") == release and last.get("outcome") == "committed"
    if not is_last or seconds_since(str(last.get("at", "")), host.clock.unix()) > WAY_BACK_SECONDS:
        raise HostctlError(
            "not_cleared",
            f"{release} was not committed within the last hour: to take it back needs the clearance of the gate",
            mend="go back with `acp-release rollback --stack STACK`, which asks the gate; nothing was changed",
        )
