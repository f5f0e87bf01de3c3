"""`preflight`: whether a release would find what it needs, without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import HostctlError
from ..lease import read_lease
from ..preflight import check_release, read_needed
from ..resources import Check
from ..spec import check_new, read_spec

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host
    from ..lease import LeaseRef


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Return all checks."""
    inner = fields.object("spec")
    needed, lease = read_needed(fields), read_lease(fields)
    spec = read_spec(inner) if inner else None
    if spec is not None:
        check_new(fields, spec)
    fields.done()
    assert spec is not None  # noqa: S101 - done() raised otherwise
    checks = [_docker(host), _compose(host), _lease(host, lease)]
    if checks[0].ok:
        checks += check_release(host, spec, needed)
    return {"checks": [check.to_json() for check in checks], "ok": all(check.ok for check in checks)}


def _docker(host: Host) -> Check:
    try:
        return Check("docker", ok=True, detail=f"Docker Engine {host.engine.version()}")
    except HostctlError as error:
        return Check("docker", ok=False, detail=error.message, code=error.code)


def _compose(host: Host) -> Check:
    try:
        return Check("compose", ok=True, detail=f"Compose {host.compose.version()}")
    except HostctlError as error:
        return Check("compose", ok=False, detail=error.message, code=error.code)


def _lease(host: Host, lease: LeaseRef | None) -> Check:
    try:
        host.leases.refuse_if_held(lease)
    except HostctlError as error:
        return Check("lease", ok=False, detail=error.message, code=error.code)
    return Check("lease", ok=True, detail="free, or yours")
