"""What every host of a stack gets: data, agent, edge, core, and the candidate of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from infra.adapters.files import key_path, read_compose, read_key
from infra.components.candidate import Candidate, CandidateArgs
from infra.components.host_agent import AGENT_SUFFIX, HostAgent, HostAgentArgs
from infra.components.host_data import HostData, HostDataArgs
from infra.domain.compose import render_core
from infra.domain.core_secrets import core_secrets
from infra.domain.ledger import host_keys
from infra.domain.naming import front_network
from infra.domain.set_up import core_prints, describe_set_up, edge_layout
from infra.domain.text_form import from_text, to_text
from infra.errors import SettingsError, UsageError
from infra.hostctl.build import build_zipapp
from infra.paths import CACHE_FOLDER
from infra.settings.public_ports import verify_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.components.release_rollout import Preflight
    from infra.settings import Settings
    from infra.settings.model import Host, Service
    from infra.settings.secrets import SecretValues


def refuse_renamed(settings: Settings, recorded: Mapping[str, str]) -> None:
    """Raise `SettingsError` where a host that the stack has set up, by `recorded` keys, comes under another name.

    Under the new name its networks are there already, and its volumes would be two in the state that are one on the
    host: letting go of the old one removes the data of the other.
    """
    wanted = host_keys(settings)
    left = {key: name for name, key in recorded.items() if name not in wanted}
    problems = [
        f"hosts[{index}].name: {host.name} shows the host key of {left[host.host_key]}, which this stack has set up"
        for index, host in enumerate(settings.hosts)
        if host.name not in recorded and host.host_key in left
    ]
    if problems:
        mend = (
            "keep the name; to set the machine up anew, take it out by an update of its own first; nothing was changed"
        )
        raise SettingsError(f"stacks/Pulumi.{settings.stack}.yaml", problems, mend=mend)


def refuse_other_stack(settings: Settings, released: Mapping[str, Any]) -> None:
    """Raise `UsageError` where what this stack has `released`, by its spec, was of a stack with another name.

    Networks and volumes on the hosts have the stack's name: under another one all of them would be made anew, empty.
    """
    name = released.get("stack")
    if name and name != settings.stack:
        raise UsageError(
            f"what stack {settings.stack} has in its record was released by stack {name}, whose name its hosts have",
            mend=f"pulumi stack rename {name} --stack {settings.stack}; nothing was changed",
        )


def declare_hosts(
    settings: Settings,
    secrets: SecretValues,
    platform: Mapping[str, pulumi.Output[str]],
    options: pulumi.ResourceOptions,
    *,
    also: Sequence[Service] = (),
    known: Mapping[str, str],
    fingerprint_key: str,
) -> list[pulumi.Resource]:
    """Declare what every host keeps between releases and return the agents, which stand behind all of it.

    `options` make all of it wait for the gate. The edge reaches the services of the settings and those in `also`.
    What requests will notice of it is said, against what is `known` of each host.
    """
    zipapp = build_zipapp(CACHE_FOLDER)
    setup_key = pulumi.Output.secret(read_key(settings.ssh.setup_key_file, "ssh.setup_key_file"))
    public_key = read_key(settings.ssh.deploy_key_file + ".pub", "ssh.deploy_key_file").strip()
    signing = settings.gate.signing
    signers = [read_key(signing.release_key_file + ".pub", "gate.signing.release_key_file").strip()] if signing else []
    edge = platform["edge"].apply(lambda image: edge_request(settings, image, also))
    core = _core_request(settings, platform)
    own_secrets = core_secrets(secrets.values) if core else {}
    set_up = pulumi.Output.all(edge, core).apply(
        lambda requests: set_up_of(requests[0], requests[1], own_secrets, fingerprint_key)
    )
    set_up.apply(lambda wanted: announce_set_up(settings, known, wanted))
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
            left_alone(settings, host, options),
        )
        agents.append(
            HostAgent(
                f"{host.name}{AGENT_SUFFIX}",
                HostAgentArgs(
                    host=host,
                    setup_key=setup_key,
                    deploy_public_key=public_key,
                    zipapp=zipapp.path,
                    hostctl_version=zipapp.version,
                    registry_login=registry_login(settings, secrets),
                    edge=edge,
                    core=core,
                    core_secrets=pulumi.Output.secret(own_secrets) if core else {},
                    signers=signers,
                    set_up=known.get(host.name, "") if host.name in settings.skip_hosts else set_up.apply(to_text),
                    permit_ports=[
                        settings.edge.verify_base_port + index
                        for index in range(verify_count(settings.services.values(), also))
                    ],
                ),
                left_alone(
                    settings, host, pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[data]))
                ),
            )
        )
    return agents


def declare_candidates(
    settings: Settings,
    secrets: SecretValues,
    keyed: Mapping[str, Any],
    preflight: Preflight,
    clearance: pulumi.Output[Mapping[str, Any] | None],
) -> list[Candidate]:
    """Declare the candidate on every host, each with the lease its host gave to the preflight and the clearance."""
    deploy_key = pulumi.Output.secret(read_key(settings.ssh.deploy_key_file, "ssh.deploy_key_file"))
    return [
        Candidate(
            f"{host.name}-candidate",
            CandidateArgs(
                host=host,
                deploy_key=deploy_key,
                release_id=keyed["release"],
                run_id=keyed["run_id"],
                spec=keyed["spec"].apply(from_text),
                secrets=pulumi.Output.secret(secrets.subset(settings.secrets.names)),
                registry_login=registry_login(settings, secrets),
                lease=preflight.leases.apply(lambda leases, name=host.name: lease_of(settings, name, leases)),  # type: ignore[misc]
                clearance=clearance,
                confirm_timeout_seconds=settings.rollout.confirm_timeout_seconds,
                is_returning=bool(settings.rollback_to),
            ),
            left_alone(settings, host, pulumi.ResourceOptions()),
        )
        for host in settings.hosts
    ]


def lease_of(settings: Settings, name: str, leases: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the lease that the preflight took on a host, none on one that this update leaves alone."""
    return {} if name in settings.skip_hosts else leases[name]


def left_alone(settings: Settings, host: Host, options: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Return `options`, for a host that this update skips with all inputs kept as they are: nothing connects to it."""
    if host.name not in settings.skip_hosts:
        return options
    return pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(transforms=[_unchanged]))


def _unchanged(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
    """Ignore every change of a resource."""
    kept = pulumi.ResourceOptions(ignore_changes=list(args.props))
    return pulumi.ResourceTransformResult(props=args.props, opts=pulumi.ResourceOptions.merge(args.opts, kept))


def registry_login(settings: Settings, secrets: SecretValues) -> pulumi.Output[Mapping[str, str]]:
    """Return the login that hosts pull with."""
    registry = settings.registry
    return pulumi.Output.secret(
        {"server": registry.server, "username": registry.username, "password": secrets["REGISTRY_PASSWORD"]}
    )


def set_up_of(
    edge: Mapping[str, Any], core: Mapping[str, Any] | None, secrets: Mapping[str, str], key: str
) -> dict[str, Any]:
    """Return what a host is set up with, as far as requests notice its change; no secret value."""
    return {"edge": edge_layout(edge), "core": core_prints(core["compose"], secrets, key) if core else None}


def announce_set_up(settings: Settings, known: Mapping[str, str], wanted: Mapping[str, Any]) -> None:
    """Say what of the hosts is made anew, in the preview and in the update."""
    hosts = [host.name for host in settings.hosts if host.name not in settings.skip_hosts]
    old = {name: from_text(known[name]) for name in hosts if known.get(name)}
    for line in describe_set_up(old, dict.fromkeys(hosts, wanted)):
        pulumi.log.info(line)


def edge_request(settings: Settings, image: str, also: Sequence[Service]) -> dict[str, Any]:
    """Return what hostctl is told of the edge."""
    edge = settings.edge
    routed = [service.routes for service in (*settings.services.values(), *also) if service.routes]
    return {
        "stack": settings.stack,
        "image": image,
        "network": front_network(settings.stack),
        "bind_address": edge.bind_address,
        "http_port": edge.http_port,
        "https_port": edge.https_port if edge.tls else None,
        "public_ports": sorted({routes.public_port for routes in routed}),
        "verify_base_port": edge.verify_base_port,
        "verify_count": verify_count(settings.services.values(), also),
        "tls": {
            "certificate_file": edge.tls.certificate_file,
            "hsts_seconds": edge.tls.hsts_seconds,
            "redirect": edge.tls.redirect,
        }
        if edge.tls
        else None,
        "max_failures": settings.rollout.canary.max_failures,
    }


def _core_request(
    settings: Settings, platform: Mapping[str, pulumi.Output[str]]
) -> pulumi.Output[Mapping[str, Any]] | None:
    """Return what hostctl is told of the data services, where the stack has its own."""
    core = settings.core
    if core is None:
        return None
    template = read_compose(core.compose_file)
    return pulumi.Output.all(**{name: platform[name] for name in core.images}).apply(
        lambda images: {
            "project": "acp-core",
            "compose": render_core(settings.stack, template, images, core),
            "images": sorted(images.values()),
        }
    )
