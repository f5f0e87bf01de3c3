"""The release that a stack names, assembled while Pulumi learns the digests."""

from __future__ import annotations

import os
import secrets as random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi
from tenacity import retry, retry_if_exception_message, stop_after_attempt, wait_fixed

from infra.adapters.ci import ci_run_id
from infra.domain.change import describe_change, summarise
from infra.domain.numbers import whole_numbers
from infra.domain.release import Release, fingerprint
from infra.errors import UsageError
from infra.settings.load import RISK_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.settings import Settings
    from infra.settings.secrets import SecretValues

KEY_BYTES = 32
READ_ATTEMPTS = 20
READ_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the stack recorded at its last successful release; on a new stack no entry and a new fingerprint key."""

    entry: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    fingerprint_key: str = field(repr=False)

    @classmethod
    def of(cls, outputs: Mapping[str, Any]) -> Earlier:
        """Return the record in a stack's outputs."""
        key = outputs.get("fingerprint_key") or random.token_hex(KEY_BYTES)
        return cls(
            entry=whole_numbers(outputs.get("release_entry") or {}),
            history=whole_numbers(outputs.get("history") or []),
            fingerprint_key=key,
        )

    def find(self, release: str) -> Mapping[str, Any] | None:
        """Return the newest entry of a release, if it is recorded."""
        return next((entry for entry in self.history if entry["release"] == release), None)


@retry(
    retry=retry_if_exception_message(match=".*failed to load checkpoint"),
    stop=stop_after_attempt(READ_ATTEMPTS),
    wait=wait_fixed(READ_PAUSE_SECONDS),
    reraise=True,
)
def read_earlier() -> Earlier:
    """Read this stack's own outputs, as they were after the last successful update.

    It is the read behind a StackReference, made before anything is declared: a folder backend writes its checkpoint in
    place, so a reference that is read beside other resources may find half a file.
    """
    return Earlier.of(_outputs_of(pulumi.get_stack()))


def read_promoted(settings: Settings) -> list[Mapping[str, Any]]:
    """Return what the stack before this one released, the latest first; empty unless a tag is promoted from it."""
    source = settings.gate.promoted_from
    return whole_numbers(_outputs_of(source).get("history") or []) if settings.image_tag and source else []


def _outputs_of(stack: str) -> dict[str, Any]:
    """Return the outputs of a stack of this project, empty when there is none yet."""
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    found = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": name}).value or {}
    outputs: dict[str, Any] = found.get("outputs") or {}
    return outputs


def accepted_risk(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the reason why a rollback may go on with findings that block, empty without one; refuse it elsewhere."""
    reason = environ.get(RISK_VARIABLE, "").strip()
    if reason and not settings.rollback_to:
        raise UsageError(
            f"{RISK_VARIABLE} is only for rollbacks", mend="use a waiver for a release; nothing was changed"
        )
    return reason


def choose_run_id(environ: Mapping[str, str]) -> str:
    """Return the id of this run: the CI run's, or the moment and the engine process it belongs to."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return ci_run_id(environ) or f"{stamp}-{os.getppid()}"


def fingerprints(settings: Settings, secrets: SecretValues, key: str) -> dict[str, str]:
    """Return the keyed hash of every secret of the app, by name."""
    return {name: fingerprint(key, name, secrets[name]) for name in settings.secrets.names}


def run_id_of(release: pulumi.Output[Release], earlier: Earlier, fresh: str) -> pulumi.Output[str]:
    """Return the recorded run id while the recorded release is the wanted one (nothing to do), else a fresh one."""
    recorded = earlier.entry
    return release.apply(lambda known: str(recorded["run_id"]) if recorded.get("release") == known.id else fresh)


def entry_of(
    settings: Settings,
    *,
    release: Release,
    run_id: str,
    report: Mapping[str, Any],
    platform: Mapping[str, str],
    gate: Mapping[str, Any],
    commit: str,
    replaced: str | None,
) -> dict[str, Any]:
    """Return the record of one release: everything that a rollback needs and an auditor asks, no secret value."""
    return {
        "release": release.id,
        "version": release.version,
        "kind": "rollback" if settings.rollback_to else "promotion" if settings.image_tag else "release",
        "replaced": replaced or "",
        "run_id": run_id,
        "commit": commit,
        "images": {ref.name: ref.pinned for ref in release.images},
        "platform": dict(platform),
        "gate": whole_numbers(gate),
        "fingerprints": dict(release.fingerprints),
        "spec": dict(release.spec),
        "summary": release_summary(settings, release),
        "strategy": settings.rollout.strategy,
        "checks": report.get("checks", []),
        "timeline": report.get("timeline", {}),
        "warnings": report.get("warnings", []),
    }


def release_summary(settings: Settings, release: Release) -> dict[str, Any]:
    """Return what a later release is compared with."""
    return summarise(
        {ref.name: ref.tag for ref in release.images},
        settings.environment,
        release.fingerprints,
        settings_services(settings),
    )


def settings_services(settings: Settings) -> list[dict[str, Any]]:
    """Return name, replicas and limits of every service."""
    return [
        {
            "name": name,
            "replicas": service.replicas,
            "memory_bytes": int(service.memory_bytes),
            "cpus": service.cpus,
            "drain_timeout_seconds": service.drain_timeout_seconds,
        }
        for name, service in settings.services.items()
    ]


def announce_change(
    settings: Settings, versions: Mapping[str, str], earlier: Earlier, prints: Mapping[str, str]
) -> None:
    """Say the change in words, in the preview and in the update."""
    new = summarise(versions, settings.environment, prints, settings_services(settings))
    for line in describe_change(earlier.entry.get("summary") or {}, new):
        pulumi.log.info(line)
