"""A stack with TLS at the edge, under an authority of its own: released, checked, and with an expired certificate."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.first import TWO_AGENTS, check, stack_outputs
from tests.support.certificates import Authority
from tests.support.host_view import HostView, views
from tests.support.overrides import merged
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

NAME = "copilot.example.test"
ON_HOST = "/etc/acp-test/tls.pem"
EDGE = "**::h1-agent-edge"
RED = 50


def place(view: HostView, certificate: Path) -> None:
    """Put a certificate with its key onto the host, where hostctl reads it."""
    text = certificate.read_text(encoding="ascii")
    view.sh(f"install -d -o deploy -m 700 {ON_HOST.rpartition('/')[0]}\ncat > {ON_HOST} <<'END'\n{text}END")
    view.sh(f"chown deploy {ON_HOST} && chmod 600 {ON_HOST}")


@pytest.fixture
def authority(world: World, first: FirstRelease) -> Iterator[Authority]:
    """Return the authority of a stack that serves over TLS; afterwards it serves as before."""
    (view,) = views(world)
    made = Authority(world.lab.path / "test-authority")
    place(view, made.sign(NAME, days=90))
    tls = {"certificate_file": ON_HOST, "server_name": NAME, "ca_file": str(made.ca_file.relative_to(world.path))}
    world.configure(merged(TWO_AGENTS, {"edge": {"tls": tls}, "environment": {"TEST_MARK": "tls"}}))
    try:
        result = world.up()
        assert result.good, result.tail(40)
        yield made
    finally:
        world.configure(TWO_AGENTS)
        back = world.up()
        view.sh(f"rm -rf {ON_HOST.rpartition('/')[0]}")
        assert back.good, back.tail(40)


def test_a_release_over_tls_is_verified_and_an_expired_certificate_is_named(world: World, authority: Authority) -> None:
    """Checks, probe and smoke test speak TLS under the stack's authority; what has expired is at fault, alone."""
    (view,) = views(world)
    outputs = stack_outputs(world)
    address = view.host.reach(443)
    assert outputs["urls"] == [f"https://{address}"]
    certificate = outputs["release_entry"]["certificate"]
    assert certificate["failed"] == 0
    assert certificate["sent"] > 0

    context = ssl.create_default_context(cafile=str(authority.ca_file))
    asked = {"headers": {"Host": NAME}, "extensions": {"sni_hostname": NAME}}
    with httpx.Client(verify=context) as http:
        answer = http.get(f"https://{address}/version", **asked)
        assert answer.headers["X-ACP-Release"] == outputs["release"]
        assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
        moved = http.get(f"http://{view.host.reach(80)}/version", headers={"Host": NAME})
        assert (moved.status_code, moved.headers["Location"]) == (308, f"https://{NAME}/version")

    code, document = check(world)
    assert code == 0, document
    assert "tls" in {row["check"] for row in document["checks"]}

    place(view, authority.sign(NAME, days=-1))
    replaced = world.pulumi("up", "--stack", STACK, "--yes", "--skip-preview", "--replace", EDGE, timeout_seconds=300)
    assert replaced.good, replaced.tail(40)
    code, document = check(world)
    assert (code, document["at_fault"]) == (RED, ["certificate"]), document
