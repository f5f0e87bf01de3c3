"""The rules as a Pulumi policy pack, where the language host runs one: `pulumi preview --policy-pack infra/policy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_policy import (  # type: ignore[import-not-found, unused-ignore]
    EnforcementLevel,
    PolicyPack,
    ResourceValidationPolicy,
)

from infra.policy.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def policy(name: str, rule: Callable[..., Iterator[str]]) -> ResourceValidationPolicy:
    """Return one rule as a mandatory policy."""

    def validate(resource: Any, report: Callable[[str], None]) -> None:
        protect = bool(getattr(resource.opts, "protect", False))
        for problem in rule(resource.resource_type, resource.props, protect=protect):
            report(problem)

    return ResourceValidationPolicy(
        name=name,
        description=(rule.__doc__ or name).splitlines()[0],
        enforcement_level=EnforcementLevel.MANDATORY,
        validate=validate,
    )


PolicyPack(name="acp-release", policies=[policy(name, rule) for name, rule in RULES.items()])
