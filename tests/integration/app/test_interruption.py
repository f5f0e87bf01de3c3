from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.app.stack import docker, wait_until

if TYPE_CHECKING:
    from tests.integration.app.stack import Release, Stack

pytestmark = pytest.mark.docker

LONG_TEXT = " ".join(f"word{number % 977}" for number in range(3_000))


def begin_stop(container: str) -> threading.Thread:
    """Send a container its stop signal, and return the thread that waits for its end, at most 60 s."""
    stop = threading.Thread(target=docker, args=("stop", "--time", "60", container))
    stop.start()
    time.sleep(1)  # the signal must come while the model still keeps the work waiting
    return stop


def test_sigterm_finishes_the_running_request_and_job(stack: Stack) -> None:
    """Agents told to stop answer the client that waits, end the job, exit 0, and leave what was not begun to others."""
    with stack.release("old") as stopping, stack.release("new") as staying:
        answers: list[dict[str, Any]] = []
        with stack.silent_model():  # no job can end before the stop, however slow the machine is
            jobs = [stopping.start_job(question="long", rounds=2, pace_seconds=1) for _ in range(5)]
            client = threading.Thread(target=lambda: answers.append(stopping.results(jobs[0], wait_seconds=60)))
            client.start()
            wait_until(
                lambda: stopping.ask("agents", "GET", f"/api/v1/jobs/{jobs[0]}").json()["status"] == "running",
                timeout_seconds=20,
            )
            time.sleep(1)  # the client's request must be on its way before the stop
            stop = begin_stop(stopping.container("agents"))
        stop.join(90)
        client.join(60)

        assert answers[0]["status"] == "completed"
        assert docker("inspect", "--format", "{{.State.ExitCode}}", stopping.container("agents")) == "0"
        for job in jobs[1:]:
            assert staying.results(job, wait_seconds=60)["status"] == "completed"


def test_work_of_a_killed_worker_is_taken_over(stack: Stack) -> None:
    """A document that a killed worker had begun is finished by the worker of another release."""
    with stack.release("old") as killed, stack.release("new") as staying:
        with stack.silent_model():
            job_id = killed.paste(LONG_TEXT)
            wait_until(lambda: killed.ingest_status(job_id)["status"] == "processing", timeout_seconds=20)
            docker("kill", "--signal", "KILL", killed.container("worker"))

        wait_until(lambda: staying.ingest_status(job_id)["status"] == "completed", timeout_seconds=60)
        assert staying.ingest_status(job_id)["attempts"] == 2


def test_a_stopped_worker_finishes_its_document(stack: Stack) -> None:
    """SIGTERM in the middle of a document: it is finished, and the exit code is 0."""
    with stack.release("old") as release:
        with stack.silent_model():
            job_id = release.paste(LONG_TEXT)
            wait_until(lambda: release.ingest_status(job_id)["status"] == "processing", timeout_seconds=20)
            stop = begin_stop(release.container("worker"))
        stop.join(90)

        assert release.ingest_status(job_id)["status"] == "completed"
        assert docker("inspect", "--format", "{{.State.ExitCode}}", release.container("worker")) == "0"


@pytest.mark.parametrize("service", ["postgres", "redis"])
def test_an_outage_is_said_and_ends(stack: Stack, release: Release, service: str) -> None:
    """Without a data service the body says not_ready, and ready again soon after it is back; then work goes on."""
    docker("stop", stack.core(service))
    try:
        wait_until(lambda: release.readiness() == "not_ready", timeout_seconds=10)
    finally:
        docker("start", stack.core(service))
    wait_until(lambda: release.readiness() == "ready", timeout_seconds=30)

    release.ingest(f"written after the outage of {service}")


def test_the_container_health_follows_the_body(release: Release) -> None:
    """Docker's own health of each container is what its body or state file says."""
    for service in ("ingest", "worker", "agents"):
        state = json.loads(docker("inspect", "--format", "{{json .State.Health}}", release.container(service)))
        assert state["Status"] == "healthy", service
