from __future__ import annotations

from typing import Any

from infra.domain.set_up import core_prints, describe_set_up, edge_layout

REQUEST: dict[str, Any] = {
    "network": "acp-local-front",
    "bind_address": "0.0.0.0",  # noqa: S104 - the public side of a host
    "http_port": 80,
    "https_port": None,
    "public_ports": [8000, 8001],
    "verify_base_port": 18000,
    "verify_count": 4,
    "image": "haproxy@sha256:1",
    "max_failures": 5,
}
COMPOSE: dict[str, Any] = {
    "services": {
        "postgres": {"image": "postgres@sha256:1", "environment": {"POSTGRES_PASSWORD": "${POSTGRES_PASSWORD}"}},
        "redis": {"image": "redis@sha256:1", "environment": {"REDIS_PASSWORD": "${REDIS_PASSWORD}"}},
    }
}
SECRETS = {"POSTGRES_PASSWORD": "one", "REDIS_PASSWORD": "two"}


def host(*, compose: dict[str, Any] = COMPOSE, secrets: dict[str, str] = SECRETS, **edge: Any) -> dict[str, Any]:
    """Return what a host is set up with."""
    return {"edge": edge_layout({**REQUEST, **edge}), "core": core_prints(compose, secrets, "key")}


def described(after: dict[str, Any]) -> list[str]:
    """Return what is said of one host."""
    return describe_set_up({"h1": host()}, {"h1": after})


def test_nothing_is_said_of_what_requests_do_not_notice() -> None:
    """The same set-up, a newer edge image, limits of the edge, and a host of which nothing is known."""
    assert described(host(image="haproxy@sha256:2", max_failures=7)) == []
    assert describe_set_up({}, {"h1": host(http_port=8080)}) == []


def test_an_edge_that_is_made_anew_is_said_with_what_differs() -> None:
    """Whoever moves a port or asks for TLS reads beforehand that nobody answers for a moment."""
    anew = "h1: the edge is made anew, and for some seconds nobody answers there: "
    assert described(host(https_port=443)) == [f"{anew}ports 80 8000 8001 → 80 443 8000 8001"]
    assert described(host(verify_base_port=19000)) == [f"{anew}loopback ports 18000 18003 → 19000 19003"]
    assert described(host(bind_address="10.0.0.1")) == [f"{anew}address 0.0.0.0 → 10.0.0.1"]


def test_hosts_with_the_same_change_share_a_line() -> None:
    """A fleet does not fill the screen."""
    (line,) = describe_set_up(dict.fromkeys(("h1", "h2"), host()), dict.fromkeys(("h1", "h2"), host(http_port=81)))
    assert line.startswith("h1, h2: the edge is made anew")


def test_data_services_that_are_made_anew_are_named() -> None:
    """One with another image is; the one beside it stays."""
    services = {**COMPOSE["services"], "redis": {**COMPOSE["services"]["redis"], "image": "redis@sha256:2"}}
    (line,) = described(host(compose={"services": services}))
    assert line == "h1: redis made anew: requests that need it wait, or fail, until it answers"


def test_a_secret_that_the_serving_release_lacks_is_a_line_of_its_own() -> None:
    """A data service with a new password refuses the release that still has the old one; no value is in any hash."""
    (line,) = described(host(secrets={**SECRETS, "REDIS_PASSWORD": "three"}))
    assert line.startswith("h1: redis made anew with other secrets than the serving release has: requests that need it")
    assert "three" not in str(host(secrets={**SECRETS, "REDIS_PASSWORD": "three"}))


def test_data_services_that_go_are_named() -> None:
    """One that leaves the compose file is removed by the update; a stack that gives up `core` keeps what runs."""
    assert described(host(compose={"services": {"postgres": COMPOSE["services"]["postgres"]}})) == [
        "h1: redis removed: requests that need it fail"
    ]
    assert described({**host(), "core": None}) == []
