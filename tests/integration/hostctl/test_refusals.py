from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.errors import HostError
from infra.lab.push import push_missing
from infra.toolchain.progress import Progress
from tests.integration.hostctl.site import CALL_SECONDS, build_image
from tests.integration.hostctl.test_phases import answers, nothing_lost

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.hostctl.site import Site

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
FOREIGN = "acp-hostctl-test/foreign"
TAKEN_PORT = 8099
LISTEN = (
    "import socket,time; s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1);"
    f" s.bind(('', {TAKEN_PORT})); s.listen(); print('listening', flush=True); time.sleep(600)"
)


@pytest.fixture
def foreign(site: Site, tmp_path: Path) -> str:
    """Return an image in the registry, by digest, that is for another architecture than the host's."""
    made = build_image(tmp_path, FOREIGN, "FROM scratch\nLABEL test=foreign\n", "--platform", "linux/arm64")
    wanted = {"hc/foreign:1": (FOREIGN, made)}
    pushed = push_missing(site.lab.folder, site.lab.plan, wanted, {}, Progress())
    return f"{site.lab.registry_server}/hc/foreign@{pushed['hc/foreign:1'].split()[1]}"


def test_an_image_for_another_architecture_is_refused_before_anything_starts(site: Site, foreign: str) -> None:
    """The error names both architectures; the running release never notices."""
    before = site.status()
    spec = site.spec("v9.0.0-foreign")
    for service in spec["compose"]["services"].values():
        service["image"] = foreign
    spec["images"] = [foreign]
    with site.traffic() as prober, pytest.raises(HostError, match=r"is for arm64, this host is amd64") as raised:
        site.call("start", spec=spec, secrets={"DATABASE_URL": "x"}, registry=site.registry)
    assert raised.value.mend
    nothing_lost(prober)
    after = site.status()
    assert [after[key] for key in ("current", "candidate", "parked", "drift")] == [
        before[key] for key in ("current", "candidate", "parked", "drift")
    ]
    assert "v9.0.0-foreign" not in site.docker("ps", "--all", "--format", "{{.Names}}")


def test_a_port_that_is_taken_is_named_and_the_edge_goes_on(site: Site) -> None:
    """Another program has the port: the error says so, the edge of before serves again, and after the mend it works."""
    current = site.status()["current"]
    listener = site.machine.exec(["sh", "-c", f'python3 -c "{LISTEN}" >/tmp/listen.log 2>&1 & echo $!'])
    site.machine.exec(["sh", "-c", "until grep -q listening /tmp/listen.log; do sleep 0.05; done"])
    ports = [8000, 8001, TAKEN_PORT]
    body = json.dumps(
        {
            "command": "edge",
            "registry": site.registry,
            "stack": "test",
            "image": site.images["haproxy"],
            "network": "acp-test-front",
            "public_ports": ports,
        }
    )
    try:
        done = site.lab.ssh(1, "acp/bin/hostctl edge", stdin=body, timeout_seconds=CALL_SECONDS)
    finally:
        site.machine.exec(["kill", listener.stdout.strip()])
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (answer["event"], answer["code"]) == ("error", "port_taken")
    assert answer["mend"]
    assert answers(site) == current
    assert site.status()["drift"] == []
    assert site.edge(public_ports=ports)["changed"]
    assert answers(site) == current
    site.edge()
