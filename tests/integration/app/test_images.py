from __future__ import annotations

import contextlib
import json
import shutil
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.integration.app.stack import REFERENCE, docker, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.app.stack import Release, Stack

pytestmark = pytest.mark.docker

FAULTS = (
    "never-ready",
    "not-ready-200",
    "flap:0.7",
    "crash-loop",
    "oom",
    "leak:40",
    "error-after:3",
    "slow:400",
    "ignore-sigterm",
)


@pytest.fixture(scope="module")
def faulty(stack: Stack) -> Iterator[dict[str, Release]]:
    """Run every faulty image at once."""
    with stack.faulty(FAULTS) as found:
        for fault in [fault for fault in FAULTS if fault not in {"crash-loop", "oom"}]:
            wait_until(lambda fault=fault: answers(found[fault], fault), timeout_seconds=60)  # type: ignore[misc]
        yield found


def name_of(fault: str) -> str:
    """Give the compose service that runs a fault."""
    return fault.replace(":", "-").replace(".", "-")


def answers(release: Release, fault: str) -> bool:
    """Tell whether the service answers at all, with its database in reach."""
    with contextlib.suppress(httpx.HTTPError):
        body = release.ask(name_of(fault), "GET", "/health/ready").json()
        return bool(body["critical_services"] == {"database": "healthy", "redis": "healthy"})
    return False


def state(release: Release, fault: str) -> dict[str, Any]:
    """Give Docker's state of the container of a fault."""
    found: dict[str, Any] = json.loads(
        docker("inspect", "--format", "{{json .State}}", release.container(name_of(fault)))
    )
    return found


def work(release: Release, fault: str) -> httpx.Response:
    """Send a cheap piece of work."""
    return release.ask(name_of(fault), "GET", "/version")


@pytest.mark.parametrize(("fault", "code"), [("never-ready", 503), ("not-ready-200", 200)])
def test_a_release_that_is_not_ready(faulty: dict[str, Release], fault: str, code: int) -> None:
    """Both say not_ready in the body; one hides it behind a 200."""
    answer = faulty[fault].ask(name_of(fault), "GET", "/health/ready")

    assert (answer.status_code, answer.json()["status"]) == (code, "not_ready")


def test_a_release_that_flaps(faulty: dict[str, Release]) -> None:
    """Readiness is good and bad in turns."""
    seen = set()
    deadline = time.monotonic() + 20
    while len(seen) < 2 and time.monotonic() < deadline:
        seen.add(faulty["flap:0.7"].ask("flap-0-7", "GET", "/health/ready").json()["status"])
        time.sleep(0.3)

    assert seen == {"ready", "not_ready"}


@pytest.mark.parametrize(("fault", "code"), [("crash-loop", 1), ("oom", 137)])
def test_a_release_that_dies(faulty: dict[str, Release], fault: str, code: int) -> None:
    """The container ends by itself, and Docker knows when it was for want of memory."""
    wait_until(lambda: state(faulty[fault], fault)["Status"] == "exited", timeout_seconds=60)

    found = state(faulty[fault], fault)
    assert found["ExitCode"] == code
    assert found["OOMKilled"] is (fault == "oom")


def test_a_release_that_leaks(faulty: dict[str, Release]) -> None:
    """Requests use up the memory until the container is killed."""
    with contextlib.suppress(httpx.HTTPError, ValueError):
        for _ in range(40):
            work(faulty["leak:40"], "leak:40")
    wait_until(lambda: state(faulty["leak:40"], "leak:40")["Status"] == "exited", timeout_seconds=20)

    assert state(faulty["leak:40"], "leak:40")["OOMKilled"] is True


def test_a_release_that_fails_later(faulty: dict[str, Release]) -> None:
    """Healthy throughout, and 500 to all work after the third request."""
    codes = [work(faulty["error-after:3"], "error-after:3").status_code for _ in range(5)]

    assert codes == [200, 200, 200, 500, 500]
    assert faulty["error-after:3"].ask("error-after-3", "GET", "/health/ready").json()["status"] == "ready"


def test_a_release_that_is_slow(faulty: dict[str, Release]) -> None:
    """Work takes 400 ms longer."""
    assert work(faulty["slow:400"], "slow:400").elapsed.total_seconds() >= 0.4


def test_a_release_that_does_not_stop(faulty: dict[str, Release]) -> None:
    """It answers after SIGTERM and ends only by SIGKILL."""
    container = faulty["ignore-sigterm"].container("ignore-sigterm")
    docker("kill", "--signal", "TERM", container)
    time.sleep(1)
    assert work(faulty["ignore-sigterm"], "ignore-sigterm").status_code == 200

    docker("stop", "--time", "1", container)
    assert state(faulty["ignore-sigterm"], "ignore-sigterm")["ExitCode"] == 137


def test_the_same_sources_give_the_same_layers(stack: Stack, tmp_path: Path) -> None:
    """Other times of the files, another version and a change in agents leave every layer of ingest as it is."""
    copy = tmp_path / "reference"
    shutil.copytree(REFERENCE, copy, copy_function=shutil.copyfile)
    (copy / "acp_reference/agents/routes.py").write_text("changed = True\n", encoding="utf-8")
    first, second = stack.build("ingest"), f"{stack.name}/ingest:again"
    stack.images[second] = "ingest"
    options = ["--file", str(copy / "ingest.Dockerfile"), "--build-arg", "VERSION=v9.9.9", "--no-cache-filter", "build"]
    docker("buildx", "build", "--quiet", "--load", *options, "--tag", second, str(copy))

    layers = [docker("inspect", "--format", "{{json .RootFS.Layers}}", tag) for tag in (first, second)]
    assert layers[0] == layers[1]
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", second))
    assert labels["org.opencontainers.image.version"] == "v9.9.9"
