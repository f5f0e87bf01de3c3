from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.hostctl.commands.edge import reaching
from infra.hostctl.edge.config import render_config
from infra.hostctl.edge.routing import committed_routing, trial_routing
from infra.hostctl.edge.settings import EdgeSettings, read_settings
from infra.hostctl.edge.weights import spread
from infra.hostctl.errors import HostctlError
from infra.hostctl.fields import Fields
from infra.hostctl.spec import ReleaseSpec, read_spec
from tests.unit.hostctl.fake_edge import HAPROXY
from tests.unit.hostctl.release_spec import readiness, spec

if TYPE_CHECKING:
    from tests.conftest import Golden

PORTS = range(18000, 18005)
REPEATABLE = "METH_GET or { method OPTIONS } or { path /api/v1/search }"
PEM = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"


def release(name: str, **options: Any) -> ReleaseSpec:
    """Return a release."""
    return read_spec(Fields(spec(name, **options)))


def settings(**changes: Any) -> EdgeSettings:
    """Return the edge's settings as a request says them."""
    request = {
        "stack": "local",
        "image": HAPROXY,
        "network": "acp-local-front",
        "public_ports": [8000, 8001],
        **changes,
    }
    fields = Fields(request)
    found, _, _ = read_settings(fields)
    fields.done()
    return found


@given(st.integers(0, 100), st.integers(1, 8), st.integers(1, 8))
def test_weights_give_the_share_that_was_asked_for(share: int, currents: int, candidates: int) -> None:
    """For any counts of replicas the candidates' share is right to within what 256 steps allow."""
    old, new = spread(share, currents, candidates)
    assert 0 <= min(old, new) <= max(old, new) == 256
    got = 100 * new * candidates / (new * candidates + old * currents)
    assert got == pytest.approx(share, abs=1.5)
    assert (new == 0) == (share == 0)
    assert (old == 0) == (share == 100)


def test_weights_of_a_service_that_only_one_release_has() -> None:
    """A first release has everything at cutover and nothing before."""
    assert spread(100, 0, 2) == (0, 256)
    assert spread(0, 0, 2) == (0, 0)
    assert spread(0, 2, 0) == (256, 0)


def test_a_trial_has_both_releases_behind_each_service() -> None:
    """Servers are named by release and replica, so that counters and the release header are true."""
    routing = trial_routing(release("v1"), release("v2", replicas=2), 10)
    ingest = routing.backends[0]
    assert [(server.name, server.weight) for server in ingest.servers] == [("v1:1", 256), ("v2:1", 14), ("v2:2", 14)]
    assert [server.is_candidate for server in ingest.servers] == [False, True, True]


def test_services_that_come_and_go_stay_with_their_release() -> None:
    """A new service gets traffic with the first shift, a removed one keeps its release until the commit."""
    before = release("v1", services=("ingest", "agents"))
    after = release("v2", services=("ingest", "search"))
    for weight, new_weight in ((0, 0), (1, 256), (100, 256)):
        backends = {backend.service: backend for backend in trial_routing(before, after, weight).backends}
        assert [server.weight for server in backends["acp-search"].servers] == [new_weight]
        assert [(server.release, server.weight) for server in backends["acp-agents"].servers] == [("v1", 256)]


def test_the_checks_of_a_trial_fit_both_releases() -> None:
    """Where the two releases say readiness differently, the edge checks only that somebody listens."""
    changed = spec("v2")
    changed["services"][0]["readiness"] = readiness(path="/other")
    routing = trial_routing(release("v1"), read_spec(Fields(changed)), 0)
    assert routing.backends[0].readiness is None
    assert routing.backends[1].readiness is not None
    text = render_config(settings(), routing)
    assert text.count("option httpchk") == 1


def test_each_release_can_be_asked_alone_during_a_trial() -> None:
    """The loopback ports reach the candidate's services first, then the current release's as far as they suffice."""
    before, after = release("v1", services=("ingest", "agents")), release("v2", services=("ingest", "search"))
    text = render_config(settings(verify_count=5), trial_routing(before, after, 100))
    chosen = [text.partition(f"frontend verify-{port}\n")[2].partition("\n\n")[0].split()[-1] for port in PORTS]
    assert chosen[:4] == [
        "acp-ingest:verify", "acp-search:verify", "acp-ingest:current:verify", "acp-agents:current:verify",
    ]  # fmt: skip
    assert "there is no candidate" in text.partition("frontend verify-18004\n")[2]
    alone = text.partition("\nbackend acp-ingest:current:verify\n")[2].partition("\n\n")[0]
    assert "server v1:1 " in alone
    assert "v2" not in alone
    assert "retries 0" in alone
    committed = render_config(settings(), committed_routing(before))
    assert ":verify" not in committed


@pytest.mark.parametrize("name", ["empty", "committed", "trial", "tls"])
def test_the_configuration_is_as_it_was_reviewed(name: str, golden: Golden) -> None:
    """The whole text of each kind of configuration stands in a golden file."""
    edge = settings()
    routing = committed_routing(release("v1"))
    if name == "empty":
        routing = committed_routing(None)
    if name == "trial":
        routing = trial_routing(release("v1"), release("v2"), 25)
    if name == "tls":
        edge = settings(https_port=443, tls={"certificate_pem": PEM})
    golden(f"{name}.cfg", render_config(edge, routing))


@pytest.mark.parametrize(("seconds", "expected"), [(30, 900), (840, 900), (1800.5, 1861)])
def test_a_replaced_worker_outlives_the_longest_drain(seconds: float, expected: int) -> None:
    """Whatever release has the patient service, the edge does not cut its requests before the drain does."""
    patient = spec("v1")
    patient["services"][0]["drain_timeout_seconds"] = seconds
    before, after = read_spec(Fields(patient)), release("v2")
    for routing in (committed_routing(before), trial_routing(before, after, 0), trial_routing(after, before, 0)):
        assert f"hard-stop-after {expected}s" in render_config(settings(), routing)
    assert "hard-stop-after 900s" in render_config(settings(), committed_routing(after))


def test_an_unrepeatable_request_is_never_sent_twice() -> None:
    """Only what is safe to repeat may be retried at layer 7."""
    text = render_config(settings(), committed_routing(release("v1")))
    assert text.count(f"http-request disable-l7-retry unless {REPEATABLE}") == text.count("retry-on") == 4


def test_a_repeatable_request_is_sent_when_all_of_it_has_come() -> None:
    """HAProxy repeats only what it has whole."""
    text = render_config(settings(timeouts={"client_seconds": 12.5}), committed_routing(release("v1")))
    line = f"http-request wait-for-body time 12500ms if {REPEATABLE}"
    assert text.count(line) == text.count("retry-on") == 4


def backend_lines(text: str, name: str) -> list[str]:
    """Return the lines of one backend."""
    return [line.strip() for line in text.partition(f"\nbackend {name}\n")[2].partition("\n\n")[0].splitlines()]


def test_failures_that_a_client_saw_add_up_whatever_the_candidate_answers_well() -> None:
    """The edge itself sends requests to the committed release once the candidate lost as many as it may."""
    text = render_config(settings(max_failures=7), trial_routing(release("v1"), release("v2"), 25))
    counted = [line for line in backend_lines(text, "acp-ingest") if "gpc0" in line or "track" in line.split()[1]]
    assert counted == [
        "stick-table type string size 10 expire 24h store gpc0",
        "http-request track-sc0 str(candidate)",
        "http-after-response set-var(txn.failures) sc0_inc_gpc0 if { status 500:599 } { srv_name -m beg v2: }",
    ]
    taken_out = "{ str(candidate),table_gpc0(acp-ingest) ge 7 }"
    frontend = text.partition("frontend public-8000\n")[2].partition("\n\n")[0].splitlines()
    assert [line.strip() for line in frontend[-2:]] == [
        f"use_backend acp-ingest:fallback if {taken_out}",
        "use_backend acp-ingest",
    ]


def test_nothing_is_counted_where_nobody_could_take_over_or_nothing_is_on_trial() -> None:
    """The first release has nobody before it; committed routes, and services that it lacks, have no candidate."""
    first = render_config(settings(), trial_routing(None, release("v2"), 100))
    assert "table_gpc0" not in first
    assert "sc0_inc_gpc0" in first
    assert ":backup" not in first
    gone = render_config(settings(), trial_routing(release("v1"), release("v2", services=("ingest",)), 25))
    assert "gpc0" not in "".join(backend_lines(gone, "acp-agents"))
    assert "table_gpc0(acp-agents)" not in gone
    assert "gpc0" not in render_config(settings(), committed_routing(release("v1")))


def test_the_committed_replicas_stand_by_for_requests_that_are_under_way_at_cutover() -> None:
    """They are well as long as their own entries are, which have no weight then."""
    text = render_config(settings(), trial_routing(release("v1", replicas=2), release("v2", replicas=2), 100))
    assert backend_lines(text, "acp-ingest")[-2:] == [
        "server v1:1:backup acp-v1-ingest-1:8000 track acp-ingest/v1:1 backup",
        "server v1:2:backup acp-v1-ingest-2:8000 track acp-ingest/v1:2 backup",
    ]
    assert "option allbackups" in text


@pytest.mark.parametrize(("most", "replicas", "retries"), [(5, 1, 5), (5, 2, 4), (1, 2, 3), (9, 2, 8), (90, 2, 20)])
def test_a_repeatable_request_outlasts_the_candidate(most: int, replicas: int, retries: int) -> None:
    """It is tried until as many failures as take out all candidates are behind it, within reason."""
    routing = trial_routing(release("v1"), release("v2", replicas=replicas), 100)
    lines = backend_lines(render_config(settings(max_failures=most), routing), "acp-ingest")
    assert f"retries {retries}" in lines


def test_failures_in_a_row_are_shared_by_the_replicas() -> None:
    """Five failures over two replicas are two each."""
    routing = trial_routing(release("v1"), release("v2", replicas=2), 25)
    assert render_config(settings(), routing).count("error-limit 2 on-error mark-down") == 4
    assert "error-limit" not in render_config(settings(), committed_routing(release("v1")))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"image": "haproxy:latest"}, "image"),
        ({"bind_address": "localhost"}, "bind_address"),
        ({"public_ports": [0]}, "public_ports[0]"),
        ({"tls": {"certificate_pem": PEM}}, "https_port"),
        ({"tls": {}, "https_port": 443}, "tls"),
        ({"verify_base_port": 7999}, "verify_base_port"),
        ({"timeouts": {"server_seconds": 0}}, "timeouts.server_seconds"),
        ({"max_failures": 0}, "max_failures"),
    ],
)
def test_a_bad_edge_setting_is_named(changes: dict[str, Any], path: str) -> None:
    """Each problem has the path of its field."""
    with pytest.raises(HostctlError) as caught:
        settings(**changes)
    assert [problem.partition(":")[0] for problem in caught.value.details["problems"]] == [path]


def test_a_release_is_reached_by_its_port_until_its_successor_serves() -> None:
    """A port that the settings no longer have stays open while the release that is reached by it is committed."""
    moved = settings(public_ports=[9000])
    assert reaching(moved, release("v1")).public_ports == (9000, 8000, 8001)
    assert "frontend public-8000" in render_config(reaching(moved, release("v1")), committed_routing(release("v1")))
    assert reaching(settings(), release("v1")) == settings()
    assert reaching(moved, None) == moved


def test_settings_come_back_from_their_file() -> None:
    """Saved and loaded settings are equal, as is their JSON: a second `edge` request changes nothing."""
    found = settings(https_port=443, tls={"certificate_pem": PEM})
    assert EdgeSettings.from_json(found.to_json()) == found
    assert isinstance(found.to_json()["public_ports"], list)
