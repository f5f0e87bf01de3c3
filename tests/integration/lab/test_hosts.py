from __future__ import annotations

import secrets
import subprocess
import time
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from infra.errors import ToolError
from infra.lab import registry
from infra.lab.faults import cut_off, full_disk, registry_down
from infra.lab.hosts import health
from infra.toolchain import places
from infra.toolchain.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab import Lab

pytestmark = pytest.mark.lab

PROXY = "docker-proxy"
PYTHON = "library/python:3.13-slim-trixie"
# As process 1 it has to ask for SIGTERM, or every reboot waits for the engine to lose its patience.
SERVE = (
    "python3 -c 'import http.server as h, signal, sys; signal.signal(15, lambda *_: sys.exit()); "
    "h.test(h.SimpleHTTPRequestHandler, port=8001)'"
)


@pytest.fixture
def web(lab: Lab) -> Iterator[str]:
    """Run a small web server on the last host, port 8001, started again unless stopped; return its name."""
    index = len(lab.machines)
    name = f"lab-test-{secrets.token_hex(4)}"
    image = lab.pull(index, PYTHON)
    flags = f"--name {name} --restart unless-stopped --memory 64m --publish 8001:8001"
    done = lab.ssh(index, f"docker run -d {flags} {image} {SERVE}")
    assert done.returncode == 0, done.stderr
    yield name
    lab.ssh(index, f"docker rm -f {name}")


def _serves(lab: Lab, *, within_seconds: float) -> bool:
    host = lab.inventory["hosts"][-1]
    url = f"http://{host['address']}:{host.get('ports', {}).get('8001', 8001)}/"
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            return httpx.get(url, timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            time.sleep(0.2)
    return False


def test_a_host_runs_containers_with_limits_and_ports(lab: Lab, web: str) -> None:
    """A container pulled from the registry is reached on the host's address and has its memory limit."""
    assert _serves(lab, within_seconds=10)
    index = len(lab.machines)
    assert lab.ssh(index, f"docker inspect -f '{{{{.HostConfig.Memory}}}}' {web}").stdout.strip() == str(64 << 20)
    image = f"{lab.registry_server}/{PYTHON}"
    hog = f"docker run --rm --memory 32m --memory-swap 32m {image} python3 -c 'b = bytearray(200_000_000)'"
    assert lab.ssh(index, hog).returncode == 137


def test_no_program_stands_between_users_and_a_host(lab: Lab) -> None:
    """An engine that was started from here publishes the ports of hosts in the kernel alone."""
    if not Engine(cache=places.find().cache).owned.running():
        pytest.skip("this machine's engine is not ours")
    addresses = {host["address"] for host in lab.inventory["hosts"]}
    running = [process.info for process in psutil.process_iter(["name", "cmdline"])]
    assert [info for info in running if info["name"] == PROXY and addresses & set(info["cmdline"] or ())] == []


def test_a_container_reaches_the_model_endpoint(lab: Lab) -> None:
    """From inside a container on a host the endpoint of the inventory answers."""
    image = lab.pull(1, PYTHON)
    url = lab.inventory["environment"]["LLM_ENDPOINT"].removesuffix("/v1") + "/health"
    code = f"import urllib.request as u; print(u.urlopen('{url}', timeout=5).status)"
    assert lab.ssh(1, f'docker run --rm {image} python3 -c "{code}"').stdout.strip() == "200"


def test_containers_come_back_after_a_reboot(lab: Lab, web: str) -> None:
    """After a shutdown and start, and after a power cut, sshd, the engine and the container are back by themselves."""
    machine = lab.machines[-1]
    machine.reboot()
    assert _serves(lab, within_seconds=20)
    machine.power_off()
    assert not health(lab.plan, machine.index).up
    machine.start()
    assert _serves(lab, within_seconds=20)
    assert lab.ssh(machine.index, "true").returncode == 0, "the pinned host key still fits"


def test_the_engine_comes_back_when_it_is_restarted(lab: Lab, web: str) -> None:
    """A host's init starts the engine again, and the engine its containers."""
    lab.machines[-1].restart_engine()
    assert _serves(lab, within_seconds=20)


def test_the_deploy_user_is_nobody_special(lab: Lab) -> None:
    """It logs in by key only, may use docker, and cannot become root."""
    identity = lab.ssh(1, "id").stdout
    assert "uid=1000(deploy)" in identity
    assert "(docker)" in identity
    assert lab.ssh(1, "command -v sudo").returncode != 0
    assert lab.ssh(1, "true", key="deploy").returncode == 255, "the deploy key is let in by the program, not by the lab"
    host = lab.inventory["hosts"][0]
    offered = subprocess.run(
        [
            *("ssh", "-v", "-o", "PreferredAuthentications=none", "-o", "StrictHostKeyChecking=no"),
            *("-o", "UserKnownHostsFile=/dev/null", "-p", str(host["port"]), f"deploy@{host['address']}", "true"),
        ],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert "Authentications that can continue: publickey\n" in offered.stderr


def test_a_host_verifies_the_registry(lab: Lab) -> None:
    """The same registry under a name its certificate does not have is refused, and nothing speaks plain HTTP."""
    machine = lab.machines[-1]
    name = lab.plan.container("registry")
    done = machine.exec(("docker", "pull", f"{name}:5000/{PYTHON}"), check=False)
    assert f"x509: certificate is not valid for any names, but wanted to match {name}" in done.stderr
    done = machine.exec(("docker", "pull", f"{lab.registry_server}/{PYTHON}"), check=False)
    assert "no basic auth credentials" in done.stderr


def test_a_full_disk_fails_a_pull_and_nothing_else(lab: Lab) -> None:
    """With the engine's download folder full a pull says so, and works again afterwards."""
    machine = lab.machines[-1]
    machine.exec(("sh", "-c", "docker image prune --all --force"))
    with full_disk(machine, "/var/lib/docker/tmp"), pytest.raises(AssertionError, match="no space left on device"):
        lab.pull(machine.index, PYTHON)
    lab.pull(machine.index, PYTHON)


def test_a_full_disk_keeps_what_was_there(lab: Lab) -> None:
    """Files survive a full disk, and what fitted into it as well."""
    machine = lab.machines[-1]
    folder = "/home/deploy/full-test"
    lab.ssh(machine.index, f"mkdir -p {folder}/sub && echo old > {folder}/kept && echo x > {folder}/gone")
    inode = lab.ssh(machine.index, f"stat -c %i {folder}/sub {folder}/kept").stdout
    with full_disk(machine, folder):
        done = lab.ssh(machine.index, f"rm {folder}/gone; dd if=/dev/zero of={folder}/big bs=512k count=1")
        assert "No space left on device" in done.stderr
    assert lab.ssh(machine.index, f"stat -c %i {folder}/sub {folder}/kept").stdout == inode
    assert lab.ssh(machine.index, f"cat {folder}/kept; ls {folder}; rm -r {folder}").stdout == "old\nbig\nkept\nsub\n"


def test_a_single_file_can_be_on_a_full_disk(lab: Lab) -> None:
    """A journal to which nothing can be added keeps its lines, and takes new ones afterwards."""
    machine = lab.machines[-1]
    path = "/home/deploy/journal-test"
    lab.ssh(machine.index, f"head -c 4096 /dev/zero | tr '\\0' x > {path}")
    with full_disk(machine, path):
        assert (
            "No space left"
            in lab.ssh(machine.index, f"head -c 9000 /dev/zero | dd of={path} bs=9000 oflag=append conv=notrunc").stderr
        )
    size = lab.ssh(machine.index, f"echo more >> {path}; stat -c %s {path}; rm {path}").stdout
    assert int(size) >= 4096 + len("more\n")


def test_the_registry_comes_back(lab: Lab) -> None:
    """While the registry is down a pull names it; afterwards it answers at once."""
    with registry_down(lab.folder):
        done = lab.machines[-1].exec(("docker", "pull", f"{lab.registry_server}/{PYTHON}"), check=False)
        assert f'Get "https://{lab.registry_server}/v2/": ' in done.stderr
    assert registry.answers(lab.folder, lab.plan)


def test_a_cut_network_is_whole_again_afterwards(lab: Lab) -> None:
    """While a machine is cut off SSH gets no answer; afterwards it does."""
    machine = lab.machines[-1]
    with cut_off(machine):
        assert lab.ssh(machine.index, "true").returncode == 255
        assert not health(lab.plan, machine.index).ssh
    assert lab.ssh(machine.index, "true").returncode == 0


def test_a_frozen_machine_goes_on(lab: Lab) -> None:
    """A hung machine gives no answer, and goes on where it was."""
    machine = lab.machines[-1]
    machine.freeze()
    try:
        with pytest.raises(ToolError):
            machine.exec(("true",))
    finally:
        machine.thaw()
    assert lab.ssh(machine.index, "true").returncode == 0
