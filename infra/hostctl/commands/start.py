"""`start`: a candidate beside the running release, ready and without traffic, in one call or in several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

from .. import fleet
from ..clearance import read_clearance, refuse_cold, require_clearance
from ..compose import on_trial, up_seconds
from ..converge import converge
from ..files import read_json
from ..images import ensure_images, read_registry
from ..launch import Timer, is_serving, launch, launch_kept, outcome, read_confirm_seconds, read_until, take_up
from ..lease import read_lease
from ..preflight import check_release, make_disk_room, read_needed
from ..resources import require
from ..spec import check_new, read_spec
from ..state import STARTED

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host
    from ..launch import Up
    from ..spec import ReleaseSpec


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Pull, start and wait for the candidate; again for the same release it goes on or says that it is done."""
    raw = fields.take("spec")
    inner = fields.object("spec")
    spec = read_spec(inner) if inner else None
    secrets = fields.mapping("secrets", optional=True)
    confirm_seconds = read_confirm_seconds(fields)
    needed, login, lease = read_needed(fields), read_registry(fields), read_lease(fields)
    clearance = read_clearance(fields)
    is_later = fields.flag("later_if_kept", default=False)
    until = read_until(fields)
    workers_later = fields.flag("workers_later", default=False)
    if spec is not None:
        check_new(fields, spec)
        for name in sorted(set(spec.secret_names) - set(secrets)):
            fields.problem(f"secrets.{name}", "is required by spec.secret_names")
    fields.done()
    assert spec is not None  # noqa: S101 - done() raised otherwise
    if _is_done(host, spec, raw):
        return outcome(host, spec, Timer(host.clock), changed=False)
    is_warm_only = require_clearance(host, clearance, raw)
    with host.changing(f"start {spec.release}", lease, is_final_on_failure=until == STARTED):
        converge(host, keep=spec.release, finish_retiring=True)
        timer = Timer(host.clock)
        up = _maker(host, spec, raw, secrets)
        changed = take_up(host, spec, timer, up, until=until)
        if changed is not None:
            return outcome(host, spec, timer, changed=changed)
        if is_later and host.state.trial is None and fleet.has_all(host, spec):
            return {"release": spec.release, "phase": "kept", "changed": False}
        removed = make_disk_room(host, spec, needed)
        require(check_release(host, spec, needed))
        if fleet.has_all(host, spec):
            launch_kept(host, spec, timer, confirm_seconds, workers_later=workers_later, until=until)
            return outcome(host, spec, timer, changed=True)
        if is_warm_only:
            raise refuse_cold()
        with host.journal.step("start", "pull", release=spec.release), timer.measure("pull_seconds"):
            ensure_images(host.engine, spec.images, login, lambda text: host.progress("start", text))
        launch(host, spec, timer, confirm_seconds, up, until=until)
        return {**outcome(host, spec, timer, changed=True), "removed": removed}


def _is_done(host: Host, spec: ReleaseSpec, raw: dict[str, Any]) -> bool:
    """Return whether exactly this release serves and nothing is left to do.

    Then neither lease nor clearance is asked for: a rotated key runs the start again, with those of long ago.
    """
    is_same = read_json(host.paths.release(spec.release)) == raw
    return is_same and is_serving(host, spec.release) and host.state.retiring is None


def _maker(host: Host, spec: ReleaseSpec, raw: dict[str, Any], secrets: dict[str, str]) -> Up:
    """Return what makes a candidate's containers: see `Up`."""
    own = {name: secrets[name] for name in spec.secret_names}

    def up(services: Sequence[str]) -> None:
        """Keep the description, without which a revert finds nothing to remove, then make the containers."""
        fleet.save_spec(host, raw)
        host.compose.up(
            spec.project,
            on_trial(spec.compose),
            secrets=own,
            services=services,
            options=["--no-recreate"],
            timeout_seconds=up_seconds(spec),
        )

    return up
