from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pulumi_engine import STACK_URN_PREFIX

if TYPE_CHECKING:
    from tests.components.conftest import Stack
    from tests.support.pulumi_engine import Recording

HOSTS = ("h1", "h2")


def test_names_and_parents_are_the_golden_tree(recording: Recording, golden: Any) -> None:
    """URNs are contracts: a renamed or moved resource would be made anew, so a change here needs an alias."""
    tree = sorted(urn.removeprefix(STACK_URN_PREFIX) for urn in recording.resources)
    golden("urns.txt", "\n".join(tree) + "\n")


def test_a_stack_without_data_services_has_no_core(stack: Stack) -> None:
    """With managed services there is neither a core nor a volume."""
    declared = stack.bent(core=None).declare()
    assert declared.of_type("docker:index/volume:Volume") == []
    assert not [name for name in names(declared) if "core" in name or "postgres" in name]


def names(recording: Recording) -> list[str]:
    """Return the names of all resources."""
    return [resource.name for resource in recording.resources.values()]


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        *product([f"{host}-agent-hostctl-file" for host in HOSTS], ["gate-clearance", "gate-edge", "gate-acp-ingest"]),
        *product([f"{host}-data-front" for host in HOSTS], ["gate-clearance"]),
        *[(f"{host}-agent-hostctl", f"{host}-agent-hostctl-file") for host in HOSTS],
        *[(f"{host}-agent-edge", f"{host}-agent-hostctl") for host in HOSTS],
        *[(f"{host}-agent-core", f"{host}-agent-edge") for host in HOSTS],
        *[(f"{host}-agent-edge", f"{host}-data-front") for host in HOSTS],
        *[(f"{host}-agent-core", f"{host}-data-postgres") for host in HOSTS],
        *product(["preflight"], [f"{host}-agent-{part}" for host in HOSTS for part in ("hostctl", "edge", "core")]),
        *product([f"{host}-candidate-start" for host in HOSTS], ["preflight", "acp-ingest-image", "acp-agents-image"]),
        *product(["rollout"], [f"{host}-candidate-start" for host in HOSTS]),
        ("rollout", "preflight"),
        ("record", "rollout"),
    ],
)
def test_each_step_waits_for_the_one_before(recording: Recording, later: str, earlier: str) -> None:
    """Gate, hosts, preflight, candidates, rollout, record: nothing begins before what it stands on is done."""
    assert recording.waits_for(later, earlier)
    assert not recording.waits_for(earlier, later)


def test_hosts_do_not_wait_for_each_other(recording: Recording) -> None:
    """What is done on one host is done on the other at the same time."""
    for part in ("agent-core", "candidate-start"):
        assert not recording.waits_for(f"h1-{part}", f"h2-{part}")
        assert not recording.waits_for(f"h2-{part}", f"h1-{part}")
