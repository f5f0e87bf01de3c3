"""The release that a stack names, assembled while Pulumi learns the digests."""

from __future__ import annotations

import contextlib
import os
import secrets as random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pulumi

from infra.adapters.background import find_engine
from infra.adapters.checkpoint_read import until_whole
from infra.adapters.ci import ci_run_id
from infra.adapters.origin import read_origin
from infra.adapters.packed_history import with_history
from infra.components.host_agent import AGENT_SUFFIX, HOST_AGENT, SET_UP
from infra.domain.change import describe_change, summarise
from infra.domain.ledger import settings_services
from infra.domain.numbers import whole_numbers
from infra.domain.recorded_gate import recorded_scan
from infra.domain.release import fingerprint
from infra.errors import SettingsError, UsageError
from infra.paths import PROJECT_ROOT
from infra.settings.load import RISK_VARIABLE
from infra.settings.recorded import ANY_OTHER, as_recorded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.domain.origin import Origin
    from infra.domain.release import Release
    from infra.settings import Settings
    from infra.settings.secrets import SecretValues

KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the stack recorded at its last successful release; on a new stack no entry and a new fingerprint key.

    `set_up` has by host what its agent was set up with, a text or nothing. It is empty where no host is left: the
    outputs outlive `pulumi destroy` where a volume is protected.
    """

    entry: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    fingerprint_key: str = field(repr=False)
    set_up: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, outputs: Mapping[str, Any], set_up: Mapping[str, str]) -> Earlier:
        """Return the record in a stack's outputs."""
        key = outputs.get("fingerprint_key") or random.token_hex(KEY_BYTES)
        return cls(
            entry=whole_numbers(outputs.get("release_entry") or {}),
            history=outputs.get("history") or [],
            fingerprint_key=key,
            set_up=set_up,
        )

    @property
    def is_deployed(self) -> bool:
        """Whether any host has what was released."""
        return bool(self.set_up)

    def find(self, release: str) -> Mapping[str, Any] | None:
        """Return the newest entry of a release, if it is recorded."""
        return next((entry for entry in self.history if entry["release"] == release), None)


@until_whole
def read_earlier() -> Earlier:
    """Read this stack's own outputs, as they were after the last successful update.

    It is the read behind a StackReference, made before anything is declared.
    """
    stack = pulumi.get_stack()
    outputs = _outputs_of(stack)
    return Earlier.of(outputs, _set_up_of(stack) if outputs else {})


def read_promoted(settings: Settings) -> list[Mapping[str, Any]]:
    """Return what the stack before this one released, the latest first; empty unless a tag is promoted from it."""
    source = settings.gate.promoted_from
    return (_outputs_of(source).get("history") or []) if settings.image_tag and source else []


def _outputs_of(stack: str) -> dict[str, Any]:
    """Return the outputs of a stack of this project, empty when there is none yet."""
    found = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": _full_name(stack)}).value or {}
    return with_history(found.get("outputs") or {})


def _set_up_of(stack: str) -> dict[str, str]:
    """Return what each host of a stack was set up with at the last update, by host, as its agent's output."""
    asked = {"stackName": _full_name(stack)}
    found = pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", asked).value or {}
    agents = {urn: told for urn, told in (found.get("outputs") or {}).items() if f"::{HOST_AGENT}::" in urn}
    return {
        urn.rpartition("::")[2].removesuffix(AGENT_SUFFIX): str((told.get("outputs") or {}).get(SET_UP) or "")
        for urn, told in agents.items()
    }


def _full_name(stack: str) -> str:
    """Return how the engine names a stack of this project."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"


def utc_now() -> str:
    """Return the moment as the record has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def settings_of_then(settings: Settings, earlier: Earlier) -> Settings:
    """Return the settings by which this update is judged: for a rollback with what was recorded of its release."""
    entry = earlier.find(settings.rollback_to) if settings.rollback_to else None
    return as_recorded(settings, entry) if entry else settings


def others_told(settings: Settings, today: Settings, earlier: Earlier) -> dict[str, Any]:
    """Return, by release, what is said of one that the update finds on the hosts, as `Settings.of_release` does.

    That is the recorded one, by its entry, where that says something else than `today`; and any other (`ANY_OTHER`), by
    `today`, where the update itself goes by other `settings`. An entry that does not say it is left to `today`.
    """
    said = today.of_release()
    told = {} if settings.of_release() == said else {ANY_OTHER: said}
    with contextlib.suppress(UsageError, SettingsError):
        recorded = as_recorded(today, earlier.entry).of_release() if earlier.entry else said
        if recorded != said:
            told[str(earlier.entry["release"])] = recorded
    return told


def origin_of(settings: Settings, commit: str, earlier: Earlier, promoted: Sequence[Mapping[str, Any]]) -> Origin:
    """Return who asks for this update from where; the commit of a recorded or tagged release is that of its build."""
    origin = read_origin(os.environ, PROJECT_ROOT, commit)
    if settings.rollback_to:
        return origin.of_release(earlier.find(settings.rollback_to))
    if settings.image_tag:
        tagged = next((entry for entry in promoted if entry.get("version") == settings.image_tag), None)
        # What was promoted says where it is from; else git may know the tag; else nobody does.
        return origin if commit and tagged is None else origin.of_release(tagged or {"commit": ""})
    return origin


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedGate:
    """What the gate recorded of the release that a rollback goes to, and all scans that are recorded with it."""

    release: Mapping[str, Any] = field(default_factory=dict)
    scans: Sequence[Mapping[str, Any]] = ()

    def scan_of(self, image: str) -> Mapping[str, Any] | None:
        """Return the recorded scan of an image."""
        return recorded_scan(self.scans, image)


def recorded_gate(settings: Settings, earlier: Earlier) -> RecordedGate:
    """Return what may count while the registry is down: for a rollback only, and nothing where the stack forbids it."""
    entry = earlier.find(settings.rollback_to) if settings.rollback_to else None
    if entry is None or not settings.gate.rollback_without_registry:
        return RecordedGate()
    gates = [entry.get("gate") or {}, earlier.entry.get("gate") or {}]
    return RecordedGate(release=gates[0], scans=[scan for gate in gates for scan in gate.get("scans") or []])


def accepted_risk(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the reason why a rollback may go on with findings that block, empty without one; refuse it elsewhere."""
    reason = environ.get(RISK_VARIABLE, "").strip()
    if reason and not settings.rollback_to:
        raise UsageError(
            f"{RISK_VARIABLE} is only for rollbacks", mend="use a waiver for a release; nothing was changed"
        )
    return reason


def choose_run_id(environ: Mapping[str, str]) -> str:
    """Return the id of this update, in CI after that of the run: the moment its engine began, and the engine's process.

    It is the same in the update's preview, and another one when the same CI run updates again: the leases of the first
    attempt are given back by then.
    """
    engine = find_engine()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(engine.create_time()))
    return "-".join(part for part in (ci_run_id(environ), stamp, str(engine.pid)) if part)


def fingerprints(settings: Settings, secrets: SecretValues, key: str) -> dict[str, str]:
    """Return the keyed hash of every secret of the app, by name."""
    return {name: fingerprint(key, name, secrets[name]) for name in settings.secrets.names}


def run_id_of(
    release: pulumi.Output[Release], earlier: Earlier, hosts: Mapping[str, str], fresh: str, *, goes_back: bool = False
) -> pulumi.Output[str]:
    """Return the recorded run id while the wanted release is recorded for all `hosts`, else a fresh one.

    `hosts` are keys by host name. A host that is new in the stack gets the release by a run over the whole group, and
    so do all after a `pulumi destroy`. An update that `goes_back` is always a run of its own: to the recorded release
    it goes from what is in no record.
    """
    recorded = earlier.entry
    stays = not goes_back and earlier.is_deployed and hosts.items() <= (recorded.get("hosts") or {}).items()
    return release.apply(
        lambda known: str(recorded["run_id"]) if stays and recorded.get("release") == known.id else fresh
    )


def announce_change(
    settings: Settings, versions: Mapping[str, str], earlier: Earlier, prints: Mapping[str, str]
) -> None:
    """Say the change in words, in the preview and in the update."""
    new = summarise(versions, settings.environment, prints, settings_services(settings))
    for line in describe_change(earlier.entry.get("summary") or {}, new):
        pulumi.log.info(line)
