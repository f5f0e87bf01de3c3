from __future__ import annotations

import copy
from typing import Any

import pytest

from infra.domain.compose_policy import RULES, compose_problems, seconds_of, unreached

NETWORKS = frozenset({"acp-local-front", "acp-local-data"})
GOOD: dict[str, Any] = {
    "services": {
        "app": {
            "image": f"registry.test:5000/acp/app@sha256:{'a' * 64}",
            "user": "10001:10001",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "read_only": True,
            "tmpfs": ["/run:size=64m,noexec"],
            "pids_limit": 256,
            "mem_limit": 536870912,
            "cpus": 0.5,
            "healthcheck": {"test": ["CMD", "check"]},
            "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
            "stop_grace_period": "35s",
            "networks": {"front": {}},
            "volumes": ["data:/data"],
            "ports": ["127.0.0.1:8000:8000"],
        }
    },
    "networks": {"front": {"name": "acp-local-front", "external": True}},
}


def problems(document: dict[str, Any]) -> list[str]:
    """Return the problems of `document` on the stack `local`."""
    return compose_problems(document, drain_seconds={"app": 30}, networks=NETWORKS)


def test_a_hardened_service_passes() -> None:
    """A service with everything that is asked for has no problem."""
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("image", "registry.test:5000/acp/app:v1", "image: must be repository@sha256"),
        ("image", f"app:v1@sha256:{'A' * 64}", "image: must be repository@sha256"),
        ("user", None, "user: must be a numeric id other than 0"),
        ("user", "app", "user: must be a numeric id other than 0"),
        ("user", "0:0", "user: must be a numeric id other than 0"),
        ("user", "10001:0", "user: must be a numeric id other than 0"),
        ("cap_drop", ["NET_RAW"], "cap_drop: must have ALL"),
        ("cap_add", ["NET_ADMIN"], "cap_add: is not allowed"),
        ("privileged", True, "privileged: is not allowed"),
        ("devices", ["/dev/kmsg"], "devices: is not allowed"),
        ("security_opt", [], "security_opt: must have no-new-privileges:true"),
        ("security_opt", ["no-new-privileges:true", "seccomp=unconfined"], "seccomp=unconfined takes protection away"),
        ("read_only", False, "read_only: must be true"),
        ("tmpfs", ["/var/cache"], "tmpfs: /var/cache needs a size"),
        ("tmpfs", "/run", "tmpfs: /run needs a size"),
        ("pids_limit", None, "pids_limit: must be set"),
        ("pids_limit", -1, "pids_limit: must be set"),
        ("mem_limit", 0, "mem_limit: must be set"),
        ("cpus", None, "cpus: must be set"),
        ("healthcheck", {"disable": True, "test": ["CMD", "x"]}, "healthcheck: must have a test"),
        ("healthcheck", {"test": ["NONE"]}, "healthcheck: must have a test"),
        ("logging", {"driver": "json-file"}, "logging.options.max-size: must be set"),
        ("network_mode", "host", "network_mode: host is not allowed"),
        ("pid", "host", "pid: host is not allowed"),
        ("ipc", "container:other", "ipc: container:other is not allowed"),
        ("volumes", ["/var/run/docker.sock:/var/run/docker.sock"], "volumes: /var/run/docker.sock is a path"),
        ("volumes", [{"type": "bind", "source": "/etc", "target": "/etc"}], "volumes: /etc is a path of the host"),
        ("ports", ["8000:8000"], "ports: 8000:8000 must name the interface"),
        ("ports", ["0.0.0.0:8000:8000"], "must name the interface"),
        ("ports", [{"published": 8000, "target": 8000}], "must name the interface"),
        ("stop_grace_period", "30s", "stop_grace_period: must exceed the drain of 30 s"),
        ("stop_grace_period", None, "stop_grace_period: must exceed the drain of 30 s"),
        ("networks", None, "networks: default is not declared"),
    ],
)
def test_a_breach_is_named(key: str, value: Any, expected: str) -> None:
    """Every rule has an example that breaks it, and names the service and the key."""
    document = copy.deepcopy(GOOD)
    if value is None:
        del document["services"]["app"][key]
    else:
        document["services"]["app"][key] = value
    found = problems(document)
    assert len(found) == 1 or key == "logging"
    assert found[0].startswith("services.app.")
    assert expected in found[0]


@pytest.mark.parametrize(
    "network", [{}, {"external": True, "name": "bridge"}, {"name": "acp-local-front"}, {"external": False}]
)
def test_a_network_of_its_own_is_refused(network: dict[str, Any]) -> None:
    """Only the networks that Pulumi made may be used: the one for data is internal there."""
    assert problems({**GOOD, "networks": {"front": network}})[0].startswith("networks.front: must be external")


@pytest.mark.parametrize("used", [["front"], {"front": {}, "data": {}}])
def test_a_web_service_on_the_edge_s_network_is_reached(used: Any) -> None:
    """A list and a mapping of networks are the same; the name that Docker knows counts, not the file's."""
    document = {"services": {"app": {"networks": used}}, "networks": GOOD["networks"]}
    assert unreached(document, services=["app"], network="acp-local-front") == []
    document["networks"] = {"front": None, "data": {"name": "acp-local-data"}}
    assert unreached(document, services=["app"], network="acp-local-front") != []


@pytest.mark.parametrize("used", [None, ["data"], {"data": {}}])
def test_a_web_service_beside_the_edge_s_network_is_refused(used: Any) -> None:
    """The edge would find none of its containers; only the services that are asked about are looked at."""
    document = {"services": {"app": {"networks": used}, "worker": {}}, "networks": GOOD["networks"]}
    assert unreached(document, services=["app"], network="acp-local-front") == [
        "services.app.networks: must have `front`, on which the edge reaches a web service"
    ]


def test_every_rule_can_fail() -> None:
    """An empty service breaks rules, and no rule is there that an example above does not break."""
    broken = [rule.__name__ for rule in RULES if list(rule({}))]
    assert broken == [
        "image_is_pinned",
        "user_is_numeric",
        "capabilities_are_dropped",
        "privileges_stay",
        "root_is_read_only",
        "limits_are_set",
        "health_is_checked",
        "logs_rotate",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1m30s", 90), ("2m", 120), ("1h", 3600), ("1.5s", 1.5), ("", None), ("x", None)]
)
def test_durations_are_read(text: str, seconds: float | None) -> None:
    """Durations are read as compose means them."""
    assert seconds_of(text) == seconds
