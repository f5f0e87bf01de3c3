"""What HAProxy was seen to do otherwise than one would think, and how the edge takes it into account."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import pytest

from infra.hostctl.edge import certificate, control
from infra.hostctl.edge.config import LOG_FORMAT, render_config
from infra.hostctl.edge.container import HOLDER
from infra.hostctl.edge.control import Edge
from infra.hostctl.edge.files import TRIAL, EdgeFiles
from infra.hostctl.edge.routing import committed_routing, trial_routing
from infra.hostctl.errors import HostctlError
from tests.unit.hostctl.fake_haproxy import EdgeWorld
from tests.unit.hostctl.fakes import FakeClock, FakeEngine
from tests.unit.hostctl.test_edge_cut_off import request
from tests.unit.hostctl.test_edge_parts import certificate as new_certificate
from tests.unit.hostctl.test_edge_routing import PEM, release, settings

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.clock import Clock
    from infra.hostctl.engine import Engine

TRIED = trial_routing(release("v1"), release("v2", replicas=2), 0)
HEALTHY = "; ".join(
    f"set server {service}/v2:{index} health up" for service in ("acp-ingest", "acp-agents") for index in (1, 2)
)


def test_a_replica_that_stands_by_gets_the_address_of_its_own_entry() -> None:
    """By itself HAProxy gives one address to one entry of a backend only: the other one is in maintenance for good."""
    text = render_config(settings(), trial_routing(release("v1"), release("v2"), 100))
    (line,) = [line for line in text.splitlines() if "default-server" in line]
    assert line.endswith(" resolve-opts allow-dup-ip")


def test_the_request_id_that_is_looked_at_is_the_one_that_is_taken() -> None:
    """A condition on a header holds where any of its values is well, and the last of them is what one gets."""
    text = render_config(settings(), committed_routing(release("v1")))
    rules = [line.strip() for line in text.partition("frontend public-8000\n")[2].splitlines() if "request_id" in line]
    assert rules[:2] == [
        "http-request set-var(txn.request_id) req.hdr(X-Request-ID)",
        "http-request set-var(txn.request_id) uuid unless { var(txn.request_id) -m reg ^[A-Za-z0-9._-]{1,128}$ }",
    ]
    assert "{ req.hdr(X-Request-ID)" not in text


def test_requests_that_failed_are_logged_without_their_query_and_headers() -> None:
    """HAProxy logs requests as information, which the edge leaves out; those that failed it logs as errors if told."""
    text = render_config(settings(), committed_routing(release("v1")))
    defaults = text.partition("defaults\n")[2].partition("\n\n")[0]
    assert "option dontlog-normal" in defaults
    assert "option log-separate-errors" in defaults
    assert f"log-format '{LOG_FORMAT}'" in defaults
    assert not re.search(r"%(\[capture|\[req|hr|hs|r\b|HU|HP\b|HQ)", LOG_FORMAT)
    assert "httplog" not in text


def test_the_redirect_keeps_an_address_in_brackets() -> None:
    """A host may have colons of its own."""
    text = render_config(settings(https_port=443, tls={"certificate_pem": PEM}), committed_routing(release("v1")))
    assert "redirect location https://%[req.hdr(host),host_only]%[pathq] code 308" in text


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what HAProxy is told; it does all of it."""
    commands: list[str] = []

    def ask(_: Path, command: str, **__: float) -> str:
        commands.append(command)
        return {"reload": "Success=1\n", "show info": "Pid: 27\n"}.get(command, "\n")

    monkeypatch.setattr(control, "ask", ask)
    return commands


class Accepting(FakeEngine):
    """Docker with a HAProxy that accepts any configuration."""

    def execute(self, _: str, __: list[str]) -> tuple[int, str]:
        """Run a command."""
        return 0, ""


def edge_in(folder: Path) -> Edge:
    """Return an edge that was set up."""
    files = EdgeFiles(folder)
    files.prepare(HOLDER)
    files.save(settings(), container=HOLDER, images={})
    return Edge(files, cast("Engine", Accepting()), cast("Clock", FakeClock()))


def test_one_check_that_fails_after_a_load_does_not_take_a_candidate_out(tmp_path: Path, asked: list[str]) -> None:
    """HAProxy lets whoever has passed no check yet fail none, and a candidate that it takes out stays out."""
    edge = edge_in(tmp_path)
    edge.load_trial(TRIED)
    assert edge.files.active(HOLDER) == TRIAL
    assert asked.index("reload") < asked.index(HEALTHY)
    assert not any("v1" in command for command in asked)


def test_a_load_that_is_done_does_not_fail_for_its_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What HAProxy then does with the first check is what it did before."""

    def ask(_: Path, command: str, **__: float) -> str:
        if command == HEALTHY:
            raise HostctlError("edge_failed", "the edge does not answer")
        return {"reload": "Success=1\n", "show info": "Pid: 27\n"}.get(command, "\n")

    monkeypatch.setattr(control, "ask", ask)
    edge = edge_in(tmp_path)
    edge.load_trial(TRIED)
    assert edge.files.active(HOLDER) == TRIAL


@pytest.mark.parametrize("copies", [1, 40])
def test_a_long_chain_is_loaded_and_a_short_one_put_into_the_running_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copies: int
) -> None:
    """HAProxy takes no command that is longer than its buffer; either way the first call after a renewal is done."""
    first, second = new_certificate(tmp_path), new_certificate(tmp_path)
    chain = second[second.index("-----BEGIN CERT") : second.index("-----END CERT")] + "-----END CERTIFICATE-----\n"
    second = second.strip() + "\n" + chain * copies
    is_long = len(second) > certificate.LONGEST_COMMAND
    assert is_long is (copies > 1)
    world = EdgeWorld(tmp_path / "host", monkeypatch)
    told: list[str] = []

    def ask(path: Path, command: str, **options: float) -> str:
        told.append(command)
        if len(command) > 16384:
            return "The command is too big for the buffer size."
        return world.ask(path, command, **options)

    world.call("edge", **request(first))
    monkeypatch.setattr(control, "ask", ask)
    assert world.call("edge", **request(second))["changed"]
    assert world.loaded[HOLDER][1] == second.strip()
    assert ("reload" in told) is is_long
    assert not world.call("edge", **request(second))["changed"]
