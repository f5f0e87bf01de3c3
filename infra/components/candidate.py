"""The candidate on a host: pulled by digest, started beside the running release, without traffic."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.connection import hostctl_command
from infra.domain.numbers import whole_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings.model import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateArgs:
    """What is started, where, and for which run."""

    host: Host
    deploy_key: pulumi.Input[str]
    release_id: pulumi.Output[str]
    run_id: pulumi.Output[str]
    spec: pulumi.Output[Mapping[str, Any]]
    secrets: pulumi.Output[Mapping[str, str]]
    registry_login: pulumi.Output[Mapping[str, str]]
    lease: pulumi.Output[Mapping[str, Any]]
    clearance: pulumi.Output[Mapping[str, Any] | None]
    confirm_timeout_seconds: float
    is_returning: bool = False


class Candidate(pulumi.ComponentResource):
    """One release on one host; one that cannot be started is removed by hostctl and fails the update.

    Whether it gets ready is asked by the rollout: what comes in between goes on while the containers start up.
    """

    def __init__(self, name: str, args: CandidateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the start; another release or another run is an update in place, never a delete."""
        super().__init__("acp:release:Candidate", name, None, opts)
        request = pulumi.Output.all(
            parts={"spec": args.spec, "secrets": args.secrets, "registry": args.registry_login, "lease": args.lease},
            clearance=args.clearance,
        ).apply(
            lambda known: {
                "command": "start",
                **whole_numbers(known["parts"]),
                **({"clearance": known["clearance"]} if known["clearance"] else {}),
                "confirm_timeout_seconds": args.confirm_timeout_seconds,
                "until": "started",
                # What a host has kept is started by the rollout, seconds before it gets the traffic, and not here.
                **({"later_if_kept": True} if args.is_returning else {}),
            }
        )
        hostctl_command(
            f"{name}-start",
            host=args.host,
            private_key=args.deploy_key,
            command=pulumi.Output.format("hostctl start {0} {1}", args.release_id, args.run_id),
            request=request.apply(lambda known: json.dumps(known, sort_keys=True)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"release": args.release_id})
