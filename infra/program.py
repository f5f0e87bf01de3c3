"""What one stack consists of, in the order in which it comes about."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pulumi
import yaml

from infra.adapters.build_residue import start_janitor
from infra.adapters.git import describe_sources
from infra.components.candidate import Candidate, CandidateArgs
from infra.components.host_agent import HostAgent, HostAgentArgs
from infra.components.host_data import HostData, HostDataArgs
from infra.components.images import PublishedImages, ReleaseImage, ReleaseImageArgs
from infra.components.record import ReleaseRecord
from infra.components.release_rollout import Preflight, Rollout
from infra.domain.compose import render_core, unknown_secrets
from infra.domain.core_secrets import core_secrets
from infra.domain.naming import front_network, tag_of
from infra.errors import ReleaseError, SettingsError
from infra.hostctl.build import build_zipapp
from infra.paths import CACHE_FOLDER, PROJECT_ROOT
from infra.release import (
    announce_change,
    assemble,
    choose_run_id,
    entry_of,
    read_earlier,
    run_id_of,
)
from infra.rollout.context import key_path
from infra.settings import Settings, load_settings
from infra.settings.secrets import SecretValues, read_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.domain.release import ImageRef

VERIFY_COUNT = 4


def main() -> None:
    """Declare the stack; what is wrong with its settings is said before anything is declared."""
    start_janitor()
    stack = pulumi.get_stack()
    settings = load_settings(stack, dict(pulumi.runtime.config.CONFIG.get()), root=PROJECT_ROOT)
    secrets = read_secrets(settings, os.environ, root=PROJECT_ROOT)
    declare(settings, secrets)


def declare(settings: Settings, secrets: SecretValues) -> None:
    """Declare images, hosts, candidates, the rollout and the record of one stack."""
    earlier = read_earlier()
    password = pulumi.Output.secret(secrets["REGISTRY_PASSWORD"])
    published = PublishedImages(settings.registry, password)
    versions, commit, images = _images(settings, password, published)
    announce_change(settings, versions, earlier, secrets)

    release = assemble(
        settings,
        app_template(settings),
        images,
        version=release_version(settings),
        secrets=secrets,
        key=earlier.fingerprint_key,
    )
    run_id = run_id_of(release, earlier, choose_run_id(os.environ))
    keyed: dict[str, Any] = {
        "release": release.apply(lambda known: known.id),
        "run_id": run_id,
        "settings": settings.model_dump(mode="json"),
        "spec": release.apply(lambda known: dict(known.spec)),
    }

    agents = _hosts(settings, secrets, published, password)
    preflight = Preflight("preflight", keyed, pulumi.ResourceOptions(depends_on=agents))
    candidates = _candidates(settings, secrets, keyed, preflight)
    rollout = Rollout("rollout", {**keyed, "leases": preflight.leases}, pulumi.ResourceOptions(depends_on=candidates))
    entry = pulumi.Output.all(release=release, run_id=run_id, report=rollout.report).apply(
        lambda known: entry_of(
            settings, known["release"], run_id=known["run_id"], report=known["report"], commit=commit
        )
    )
    record = ReleaseRecord(
        "record",
        {"stack": settings.stack, "entry": entry, "fingerprint_key": pulumi.Output.secret(earlier.fingerprint_key)},
        pulumi.ResourceOptions(depends_on=[rollout], additional_secret_outputs=["fingerprint_key"]),
    )
    _export(settings, record)


def release_version(settings: Settings) -> str:
    """Return the version of the release: from the settings, or of the last commit that touched any image's sources."""
    return (
        settings.image_tag or settings.version or tag_of(describe_sources(PROJECT_ROOT, _all_sources(settings)).version)
    )


def app_template(settings: Settings) -> dict[str, Any]:
    """Return the app's compose file; raise `SettingsError` when it does not fit the settings."""
    template = read_yaml(settings.compose_file)
    missing = [
        f"services.{name}.compose_service: there is no service {service.compose_service!r} in the compose file"
        for name, service in settings.services.items()
        if service.compose_service not in template["services"]
    ]
    problems = missing + unknown_secrets(settings, template)
    if problems:
        raise SettingsError(settings.compose_file, problems)
    return template


def read_yaml(name: str) -> dict[str, Any]:
    """Return a YAML file of the project as a mapping; raise `SettingsError` when it is none."""
    path = PROJECT_ROOT / name
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(name, [str(error)]) from None
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise SettingsError(name, ["is not a compose file: it has no `services:` mapping"])
    return document


def _images(
    settings: Settings, password: pulumi.Output[str], published: PublishedImages
) -> tuple[dict[str, str], str, dict[str, pulumi.Output[ImageRef]]]:
    """Return version, commit and digest-pinned reference of every image: built here, or published under a tag."""
    if settings.image_tag:
        tag = settings.image_tag
        return dict.fromkeys(settings.images, tag), "", {name: published.resolve(name, tag) for name in settings.images}
    versions: dict[str, str] = {}
    refs: dict[str, pulumi.Output[ImageRef]] = {}
    for name, image in settings.images.items():
        sources = describe_sources(PROJECT_ROOT, image.sources or (image.context, image.dockerfile))
        versions[name] = settings.version or tag_of(sources.version)
        refs[name] = ReleaseImage(
            name,
            ReleaseImageArgs(
                image=image,
                registry=settings.registry,
                password=password,
                version=versions[name],
                commit=sources.commit,
                root=PROJECT_ROOT,
            ),
        ).ref
    return versions, describe_sources(PROJECT_ROOT, _all_sources(settings)).commit, refs


def _all_sources(settings: Settings) -> list[str]:
    return sorted(
        {path for image in settings.images.values() for path in image.sources or (image.context, image.dockerfile)}
    )


def _hosts(
    settings: Settings, secrets: SecretValues, published: PublishedImages, password: pulumi.Output[str]
) -> list[pulumi.Resource]:
    """Declare what every host keeps between releases."""
    zipapp = build_zipapp(CACHE_FOLDER)
    setup_key = pulumi.Output.secret(_key_text(settings.ssh.setup_key_file, "ssh.setup_key_file"))
    public_key = _key_text(settings.ssh.deploy_key_file + ".pub", "ssh.deploy_key_file").strip()
    login = pulumi.Output.all(server=settings.registry.server, username=settings.registry.username, password=password)
    edge = published.pin(settings.edge.image).apply(lambda image: edge_request(settings, image))
    core = _core(settings, published)
    agents: list[pulumi.Resource] = []
    for host in settings.hosts:
        data = HostData(
            f"{host.name}-data",
            HostDataArgs(
                stack=settings.stack,
                host=host,
                setup_key_file=str(key_path(settings.ssh.setup_key_file)),
                volumes=settings.core.volumes if settings.core else (),
            ),
        )
        agents.append(
            HostAgent(
                f"{host.name}-agent",
                HostAgentArgs(
                    host=host,
                    setup_key=setup_key,
                    deploy_public_key=public_key,
                    zipapp=zipapp.path,
                    hostctl_version=zipapp.version,
                    registry_login=login,
                    edge=edge,
                    core=core,
                    core_secrets=pulumi.Output.secret(core_secrets(secrets.values)) if core else {},
                    permit_ports=[settings.edge.verify_base_port + index for index in range(VERIFY_COUNT)],
                ),
                pulumi.ResourceOptions(depends_on=[data]),
            )
        )
    return agents


def edge_request(settings: Settings, image: str) -> dict[str, Any]:
    """Return what hostctl is told of the edge."""
    edge = settings.edge
    return {
        "stack": settings.stack,
        "image": image,
        "network": front_network(settings.stack),
        "bind_address": edge.bind_address,
        "http_port": edge.http_port,
        "https_port": edge.https_port if edge.tls else None,
        "public_ports": sorted(s.routes.public_port for s in settings.services.values() if s.routes),
        "verify_base_port": edge.verify_base_port,
        "verify_count": VERIFY_COUNT,
        "tls": {
            "certificate_file": edge.tls.certificate_file,
            "hsts_seconds": edge.tls.hsts_seconds,
            "redirect": edge.tls.redirect,
        }
        if edge.tls
        else None,
        "max_failures": settings.rollout.canary.max_failures,
    }


def _core(settings: Settings, published: PublishedImages) -> pulumi.Output[Mapping[str, Any]] | None:
    """Return what hostctl is told of the data services, where the stack has its own."""
    core = settings.core
    if core is None:
        return None
    template = read_yaml(core.compose_file)
    return pulumi.Output.all(**{name: published.pin(image) for name, image in core.images.items()}).apply(
        lambda images: {
            "project": "acp-core",
            "compose": render_core(settings.stack, template, images, core),
            "images": sorted(images.values()),
        }
    )


def _candidates(
    settings: Settings, secrets: SecretValues, keyed: Mapping[str, Any], preflight: Preflight
) -> list[Candidate]:
    """Declare the candidate on every host."""
    deploy_key = pulumi.Output.secret(_key_text(settings.ssh.deploy_key_file, "ssh.deploy_key_file"))
    login = pulumi.Output.secret(
        {
            "server": settings.registry.server,
            "username": settings.registry.username,
            "password": secrets["REGISTRY_PASSWORD"],
        }
    )
    return [
        Candidate(
            f"{host.name}-candidate",
            CandidateArgs(
                host=host,
                deploy_key=deploy_key,
                release_id=keyed["release"],
                run_id=keyed["run_id"],
                spec=keyed["spec"],
                secrets=pulumi.Output.secret(secrets.subset(settings.secrets.names)),
                registry_login=login,
                lease=preflight.leases.apply(lambda leases, name=host.name: leases[name]),  # type: ignore[misc]
                confirm_timeout_seconds=settings.rollout.confirm_timeout_seconds,
            ),
        )
        for host in settings.hosts
    ]


def _export(settings: Settings, record: ReleaseRecord) -> None:
    """Export the record; a failed release leaves every output as it was."""
    scheme, port = ("https", settings.edge.https_port) if settings.edge.tls else ("http", settings.edge.http_port)
    pulumi.export("release", record.entry.apply(lambda entry: entry["release"]))
    pulumi.export("previous", record.previous)
    pulumi.export("images", record.entry.apply(lambda entry: entry["images"]))
    pulumi.export("urls", record.entry.apply(lambda _: [f"{scheme}://{host.reach(port)}" for host in settings.hosts]))
    pulumi.export("release_entry", record.entry)
    pulumi.export("history", record.history)
    pulumi.export("fingerprint_key", pulumi.Output.secret(record.fingerprint_key))


def _key_text(name: str, setting: str) -> str:
    """Return a key file's text; raise `SettingsError` naming the setting."""
    try:
        return key_path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError("the SSH keys", [f"{setting}: {name}: {error.strerror}"]) from None


def fail(error: ReleaseError) -> None:
    """End the program with the error's message and exit code."""
    pulumi.log.error(str(error))
    sys.exit(error.exit_code)
