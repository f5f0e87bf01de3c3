"""`revert`: back to the release before, from any phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import trial
from ..lease import read_lease
from ..rollback import return_to_previous
from ..spec import RELEASE, RELEASE_HINT

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """End the trial of a release, or, after its commit, bring the previous release back, unless `trial_only`.

    A way back that was cut off goes on.
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
