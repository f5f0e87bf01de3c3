"""The release that a stack names, assembled while Pulumi learns the digests."""

from __future__ import annotations

import os
import secrets as random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.domain.change import describe_change, summarise
from infra.domain.release import Release, build_release, fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.domain.release import ImageRef
    from infra.settings import Settings
    from infra.settings.secrets import SecretValues

KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What the stack recorded at its last successful release; empty on a new stack."""

    entry: Mapping[str, Any]
    fingerprint_key: str

    @classmethod
    def of(cls, outputs: Mapping[str, Any]) -> Earlier:
        """Return the record in a stack's outputs."""
        return cls(entry=outputs.get("release_entry") or {}, fingerprint_key=outputs.get("fingerprint_key") or "")


def read_earlier() -> pulumi.Output[Earlier]:
    """Read this stack's own outputs, as they were after the last successful update."""
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    reference = pulumi.StackReference("self", stack_name=name)
    return reference.outputs.apply(lambda outputs: Earlier.of(outputs or {}))


def choose_run_id(environ: Mapping[str, str]) -> str:
    """Return the id of this run: the CI run's, or the moment and the engine process it belongs to."""
    if environ.get("GITHUB_RUN_ID"):
        return f"ci-{environ['GITHUB_RUN_ID']}-{environ.get('GITHUB_RUN_ATTEMPT', '1')}"
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return f"{stamp}-{os.getppid()}"


def assemble(
    settings: Settings,
    template: Mapping[str, Any],
    images: Mapping[str, pulumi.Output[ImageRef]],
    *,
    version: str,
    secrets: SecretValues,
    key: pulumi.Output[str],
) -> pulumi.Output[Release]:
    """Return the release once every digest is known; unknown in a preview that has something to build."""

    def build(known: dict[str, Any]) -> Release:
        prints = {name: fingerprint(known["key"], name, secrets[name]) for name in settings.secrets.names}
        return build_release(settings, template, known["images"], version=version, fingerprints=prints)

    return pulumi.Output.all(images=pulumi.Output.all(**images), key=key).apply(build)


def fingerprint_key(earlier: pulumi.Output[Earlier]) -> pulumi.Output[str]:
    """Return the stack's key for secret fingerprints: the recorded one, or a new one."""
    fresh = random.token_hex(KEY_BYTES)
    return earlier.apply(lambda found: found.fingerprint_key or fresh)


def run_id_of(release: pulumi.Output[Release], earlier: pulumi.Output[Earlier], fresh: str) -> pulumi.Output[str]:
    """Return the recorded run id while the recorded release is the wanted one (nothing to do), else a fresh one."""
    return pulumi.Output.all(release=release, earlier=earlier).apply(
        lambda known: (
            known["earlier"].entry.get("run_id") or fresh
            if known["earlier"].entry.get("release") == known["release"].id
            else fresh
        )
    )


def entry_of(
    settings: Settings, release: Release, *, run_id: str, report: Mapping[str, Any], commit: str
) -> dict[str, Any]:
    """Return the record of one release: everything about it except secret values."""
    return {
        "release": release.id,
        "version": release.version,
        "run_id": run_id,
        "commit": commit,
        "images": {ref.name: ref.pinned for ref in release.images},
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
    settings: Settings, versions: Mapping[str, str], earlier: pulumi.Output[Earlier], secrets: SecretValues
) -> None:
    """Say the change in words, in the preview and in the update."""

    def say(found: Earlier) -> None:
        prints = {name: fingerprint(found.fingerprint_key, name, secrets[name]) for name in settings.secrets.names}
        new = summarise(versions, settings.environment, prints, settings_services(settings))
        lines = describe_change(found.entry.get("summary") or {}, new)
        for line in lines:
            pulumi.log.info(line)

    earlier.apply(say)
