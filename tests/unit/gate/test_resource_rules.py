from __future__ import annotations

from typing import Any

import pytest

from infra.policy.rules import RULES

DIGEST = "@sha256:" + "a" * 64
GOOD: list[tuple[str, dict[str, Any], bool]] = [
    ("docker-build:index:Image", {"tags": ["r.test/acp/app:v1"]}, False),
    ("pulumi-python:dynamic/acp:Scan", {"image": f"r.test/acp/app{DIGEST}"}, False),
    ("command:remote:CopyToRemote", {"connection": {"hostKey": "ssh-ed25519 A"}}, False),
    (
        "command:remote:Command",
        {"connection": {"hostKey": "ssh-ed25519 A"}, "create": "hostctl start v1 run", "logging": "none"},
        False,
    ),
    (
        "command:remote:Command",
        {"connection": {"hostKey": "k"}, "create": "true", "delete": "hostctl uninstall", "logging": "none"},
        False,
    ),
    ("docker:index/volume:Volume", {"name": "acp-local-postgres"}, True),
]


def problems(kind: str, props: dict[str, Any], *, protect: bool = False) -> dict[str, list[str]]:
    """Return what each rule that is broken says."""
    found = {name: list(rule(kind, props, protect=protect)) for name, rule in RULES.items()}
    return {name: said for name, said in found.items() if said}


@pytest.mark.parametrize(("kind", "props", "protect"), GOOD)
def test_what_the_program_declares_keeps_the_rules(kind: str, props: dict[str, Any], *, protect: bool) -> None:
    """Resources as this program declares them break no rule."""
    assert problems(kind, props, protect=protect) == {}


@pytest.mark.parametrize(
    ("kind", "props", "rule"),
    [
        ("docker-build:index:Image", {"tags": ["r.test/acp/app:Latest"]}, "image-tags-are-versions"),
        ("pulumi-python:dynamic/acp:Scan", {"image": "r.test/acp/app:v1"}, "scans-are-by-digest"),
        ("command:remote:CopyToRemote", {"connection": {"host": "h"}}, "host-keys-are-pinned"),
        ("command:remote:Command", GOOD[3][1] | {"triggers": [1]}, "deploys-only-update"),
        ("command:remote:Command", GOOD[3][1] | {"delete": "hostctl stop"}, "deploys-only-update"),
        ("command:remote:Command", GOOD[3][1] | {"logging": "stdout"}, "remote-output-is-quiet"),
        ("docker:index/volume:Volume", {"name": "acp-local-postgres"}, "data-is-protected"),
    ],
)
def test_a_breach_breaks_its_rule_alone(kind: str, props: dict[str, Any], rule: str) -> None:
    """Each rule has a resource that breaks it and nothing else."""
    assert list(problems(kind, props)) == [rule]
