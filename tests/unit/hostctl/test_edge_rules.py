from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.hostctl.edge.config import render_config
from infra.hostctl.edge.routing import committed_routing, trial_routing
from infra.hostctl.fields import Fields
from infra.hostctl.spec import ReleaseSpec, read_spec
from tests.unit.hostctl.release_spec import spec
from tests.unit.hostctl.test_edge_routing import settings

if TYPE_CHECKING:
    from infra.hostctl.edge.routing import Routing

PORTS = [8000, 8001, 8002]
NEW = "{ path -m reg ^/new(/|$) }"


def release(name: str, **routes: tuple[int, str]) -> ReleaseSpec:
    """Return a release whose services have these ports and path prefixes."""
    value = spec(name, services=tuple(routes))
    for service, (port, prefix) in zip(value["services"], routes.values(), strict=False):
        service["routes"] |= {"public_port": port, "path_prefixes": [prefix]}
    return read_spec(Fields(value))


def choices(routing: Routing, frontend: str = "http-80") -> list[str]:
    """Return how a frontend chooses a backend."""
    text = render_config(settings(public_ports=PORTS), routing).partition(f"frontend {frontend}\n")[2]
    lines = [line.strip() for line in text.partition("\n\n")[0].splitlines()]
    return [line.removeprefix("use_backend ") for line in lines if line.startswith("use_backend ")]


def both(service: str, condition: str = "") -> list[str]:
    """Return the choices of a service that both releases have."""
    condition = f"{condition} " if condition else ""
    return [
        f"{service}:fallback if {condition}{{ nbsrv({service}) eq 0 }}",
        f"{service}:fallback if {condition}{{ str(candidate),table_gpc0({service}) ge 5 }}",
        f"{service} if {condition}".removesuffix(" if ").strip(),
    ]


@pytest.mark.parametrize("weight", [0, 25, 100])
def test_a_new_service_leaves_its_path_to_the_one_that_has_it_until_it_has_requests(weight: int) -> None:
    """Once its candidates are taken out the committed replicas alone answer, for the candidate gave the path away."""
    before, after = release("v1", ingest=(8000, "/")), release("v2", ingest=(8000, "/"), search=(8001, "/new"))
    assert choices(trial_routing(before, after, weight)) == [
        f"acp-search if {NEW} {{ nbsrv(acp-search) gt 0 }} !{{ str(candidate),table_gpc0(acp-search) ge 5 }}",
        f"acp-ingest:fallback if {NEW} {{ srv_uweight(acp-search/v2:1) gt 0 }}",
        *both("acp-ingest"),
    ]


def test_a_new_name_leaves_path_and_port_to_the_old_one_until_it_has_requests() -> None:
    """Behind it stands the service that is gone, which has no candidate to keep apart."""
    before, after = release("v1", agents=(8001, "/new")), release("v2", jobs=(8001, "/new"))
    usable = "{ nbsrv(acp-jobs) gt 0 } !{ str(candidate),table_gpc0(acp-jobs) ge 5 }"
    routing = trial_routing(before, after, 0)
    assert choices(routing) == [
        f"acp-jobs if {NEW} {usable}",
        f"acp-agents:fallback if {NEW} {{ nbsrv(acp-agents) eq 0 }}",
        f"acp-agents if {NEW}",
    ]
    assert choices(routing, "public-8001") == [
        f"acp-jobs if {usable}",
        "acp-agents:fallback if { nbsrv(acp-agents) eq 0 }",
        "acp-agents",
    ]


@pytest.mark.parametrize("prefix", ["/new/below", "/ne"])
def test_a_new_service_where_nobody_answered_before_is_passed_over_by_nothing(prefix: str) -> None:
    """A path goes to no service that has it only in part, by whole segments."""
    before, after = release("v1", agents=(8001, prefix)), release("v2", agents=(8001, prefix), search=(8002, "/new"))
    assert f"acp-search if {NEW}" in choices(trial_routing(before, after, 0))
    assert choices(trial_routing(before, after, 0), "public-8002") == ["acp-search"]


def test_a_new_service_may_take_all_paths_and_the_port_of_one_that_stays() -> None:
    """It is tried first, whatever the order in which the release names its services."""
    before = release("v1", ingest=(8000, "/"))
    after = release("v2", ingest=(8001, "/new"), web=(8000, "/"))
    new = [
        "acp-web if { nbsrv(acp-web) gt 0 } !{ str(candidate),table_gpc0(acp-web) ge 5 }",
        "acp-ingest:fallback if { srv_uweight(acp-web/v2:1) gt 0 }",
    ]
    routing = trial_routing(before, after, 0)
    assert choices(routing) == [*both("acp-ingest", NEW), *new, *both("acp-ingest")]
    assert choices(routing, "public-8000") == [*new, *both("acp-ingest")]


def test_a_service_that_goes_keeps_path_and_port_until_the_commit() -> None:
    """Also where both go to a service that stays, whose committed replicas know nothing of them."""
    before = release("v1", web=(8000, "/"), api=(8001, "/new"))
    after = release("v2", api=(8000, "/"))
    gone = ["acp-web:fallback if { nbsrv(acp-web) eq 0 }", "acp-web"]
    for weight in (0, 100):
        routing = trial_routing(before, after, weight)
        assert choices(routing)[:5] == [*both("acp-api", NEW), *gone]
        assert choices(routing, "public-8000")[:2] == gone
    assert choices(committed_routing(after))[-1] == choices(committed_routing(after), "public-8000")[-1] == "acp-api"


def test_a_service_that_moves_is_reached_by_both_ports_until_the_commit() -> None:
    """Users of the old port lose nothing before the new release serves."""
    before, after = release("v1", ingest=(8000, "/")), release("v2", ingest=(8001, "/"))
    routing = trial_routing(before, after, 0)
    assert choices(routing, "public-8000") == choices(routing, "public-8001") == both("acp-ingest")
    assert choices(committed_routing(after), "public-8000") == []


def test_services_of_a_first_release_are_passed_over_by_nothing() -> None:
    """One new service is no reason to pass over another: neither has requests before traffic moves."""
    first = release("v1", ingest=(8000, "/"), search=(8001, "/new"))
    assert choices(trial_routing(None, first, 0)) == [f"acp-search if {NEW}", "acp-ingest"]
