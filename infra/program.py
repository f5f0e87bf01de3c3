"""What one stack consists of, in the order in which it comes about."""

from __future__ import annotations

import os
from typing import Any

import pulumi

from infra.adapters.build_residue import start_janitor
from infra.components.dynamic import run_of
from infra.components.record import ReleaseRecord
from infra.components.release_gate import Gate
from infra.components.release_rollout import Preflight, Rollout
from infra.domain.core_secrets import core_secrets_change
from infra.domain.ledger import Run, entry_of, host_keys
from infra.domain.text_form import from_text, to_text
from infra.host_plan import declare_candidates, declare_hosts, refuse_other_stack, refuse_renamed
from infra.paths import PROJECT_ROOT
from infra.release import (
    accepted_risk,
    announce_change,
    choose_run_id,
    fingerprints,
    origin_of,
    others_told,
    read_earlier,
    read_promoted,
    recorded_gate,
    run_id_of,
    settings_of_then,
    utc_now,
)
from infra.settings import Settings, load_settings, one_update_overrides
from infra.settings.secrets import SecretValues, read_secrets, refuse_wrong_core
from infra.sources import check_templates, find_source


def main() -> None:
    """Declare the stack; what is wrong with its settings is said before anything is declared."""
    start_janitor()
    config = {**pulumi.runtime.config.CONFIG.get(), **one_update_overrides(os.environ)}
    settings = load_settings(pulumi.get_stack(), config, root=PROJECT_ROOT)
    secrets = read_secrets(settings, os.environ, root=PROJECT_ROOT)
    refuse_wrong_core(settings, secrets)
    declare(settings, secrets)


def declare(today: Settings, secrets: SecretValues) -> None:
    """Declare images, the gate, hosts, candidates, the rollout and the record of one stack, by the settings of today.

    What these say of the release itself is replaced by what was recorded, where the update goes back to one.
    """
    started_at = utc_now()
    check_templates(today)
    earlier = read_earlier()
    if earlier.is_deployed:
        refuse_other_stack(today, earlier.entry.get("spec") or {})
        refuse_renamed(today, earlier.entry.get("hosts") or {})
    settings = settings_of_then(today, earlier)
    prints = fingerprints(settings, secrets, earlier.fingerprint_key)
    source = find_source(settings, earlier, pulumi.Output.secret(secrets["REGISTRY_PASSWORD"]), prints)
    announce_change(settings, source.versions, earlier, prints)
    promoted = read_promoted(settings)
    origin = origin_of(settings, source.commit, earlier, promoted)
    reached = settings.without_skipped()
    fresh = choose_run_id(os.environ)
    run_id = run_id_of(source.release, earlier, host_keys(settings), fresh, goes_back=bool(settings.rollback_to))
    keyed: dict[str, Any] = {
        "release": source.release.apply(lambda known: known.id),
        "run_id": run_id,
        "commit": source.commit,
        "settings": to_text(reached.model_dump(mode="json")),
        "others": to_text(others_told(settings, today, earlier)),
        "spec": source.release.apply(lambda known: to_text(dict(known.spec))),
    }

    gate = Gate(
        "gate",
        settings=settings,
        source=source,
        run_id=run_id,
        promoted_history=promoted,
        accept_risk=accepted_risk(settings, os.environ),
        recorded=recorded_gate(settings, earlier),
    )
    agents = declare_hosts(
        settings,
        secrets,
        source.platform,
        pulumi.ResourceOptions(depends_on=[gate]),
        also=tuple(today.services.values()),
        known=earlier.set_up,
        fingerprint_key=earlier.fingerprint_key,
    )
    core_changes = bool(settings.core) and core_secrets_change(earlier.entry.get("fingerprints") or {}, prints)
    preflight = Preflight(
        "preflight",
        {**keyed, "cleared": gate.cleared, **({"core_changes": True} if core_changes else {})},
        pulumi.ResourceOptions(depends_on=agents),
    )
    candidates = declare_candidates(settings, secrets, keyed, preflight, gate.clearance)
    rollout = Rollout(
        "rollout",
        {
            **keyed,
            "prepared": run_of(preflight),
            "leases": preflight.leases,
            "before": preflight.before,
            "clearance": gate.clearance,
            "recorded": str(earlier.entry.get("release") or ""),
            "audit": earlier.entry.get("audit") or {},
        },
        pulumi.ResourceOptions(depends_on=candidates),
    )
    entry = pulumi.Output.all(
        release=source.release,
        run_id=run_id,
        report=rollout.report.apply(from_text),
        platform=pulumi.Output.all(**source.platform),
        gate=gate.record,
    ).apply(
        lambda known: to_text(
            entry_of(
                reached,
                **known,
                run=Run(
                    origin=origin,
                    started_at=started_at,
                    ended_at=utc_now(),
                    replaced=str(earlier.entry.get("release") or ""),
                    fingerprints=prints,
                    summary=(earlier.find(settings.rollback_to or "") or {}).get("summary") or {},
                ),
            )
        )
    )
    record = ReleaseRecord(
        "record",
        {
            "stack": settings.stack,
            "entry": entry,
            "earlier": str(earlier.entry.get("release") or ""),
            "rolled_out": run_of(rollout),
            "fingerprint_key": pulumi.Output.secret(earlier.fingerprint_key),
        },
        pulumi.ResourceOptions(depends_on=[rollout], additional_secret_outputs=["fingerprint_key"]),
    )
    export(settings, record)


def export(settings: Settings, record: ReleaseRecord) -> None:
    """Export the record; a failed release leaves every output as it was."""
    scheme, port = ("https", settings.edge.https_port) if settings.edge.tls else ("http", settings.edge.http_port)
    entry: pulumi.Output[dict[str, Any]] = record.entry.apply(from_text)
    pulumi.export("release", entry.apply(lambda known: known["release"]))
    pulumi.export("previous", record.previous)
    pulumi.export("images", entry.apply(lambda known: known["images"]))
    pulumi.export("urls", entry.apply(lambda _: [f"{scheme}://{host.reach(port)}" for host in settings.hosts]))
    pulumi.export("release_entry", entry)
    pulumi.export("history", record.history)
    pulumi.export("fingerprint_key", pulumi.Output.secret(record.fingerprint_key))
