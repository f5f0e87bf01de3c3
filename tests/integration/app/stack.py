"""Releases of the reference app on this machine's own Docker engine, from the real templates and images."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from infra.domain.compose import PROJECT_PLACEHOLDER, RELEASE_PLACEHOLDER, VERSION_PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COMPOSE = Path(__file__).parents[3] / "compose"
REFERENCE = COMPOSE / "reference"
PORTS = {"ingest": 8000, "agents": 8001}
SECRETS = {
    "POSTGRES_USER": "acp",
    "POSTGRES_DB": "acp",
    "POSTGRES_PASSWORD": "postgres-secret-4711",
    "REDIS_PASSWORD": "redis-secret-4711",
    "DATABASE_URL": "postgresql://acp:postgres-secret-4711@postgres:5432/acp",
    "REDIS_URL": "redis://:redis-secret-4711@redis:6379/0",
    "SECRET_KEY": "app-secret-4711",
    "JWT_SECRET_KEY": "jwt-secret-4711",
    "ENCRYPTION_KEY": "encryption-secret-4711",
    "OPENAI_API_KEY": "model-secret-4711",
    "LLM_ENDPOINT": "http://model:8080/v1",
    "EMBEDDING_ENDPOINT": "http://model:8080/v1",
}


def docker(*argv: str, stdin: str | None = None, check: bool = True) -> str:
    """Run docker with the secrets in its environment alone, and give its output without the last newline."""
    done = subprocess.run(
        ["docker", *argv],
        input=stdin,
        env={**os.environ, **SECRETS, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0 or not check, f"docker {argv[0]}: {done.stderr[-2000:]}"
    return done.stdout.rstrip("\n")


def wait_until(seen: Callable[[], bool], *, timeout_seconds: float, pause_seconds: float = 0.2) -> float:
    """Wait for `seen` and give the time it took; fail when it takes longer than `timeout_seconds`."""
    began = time.monotonic()
    while not seen():
        assert time.monotonic() - began < timeout_seconds, f"not seen within {timeout_seconds} s"
        time.sleep(pause_seconds)
    return time.monotonic() - began


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release that runs."""

    project: str
    release: str
    front: str

    def container(self, service: str) -> str:
        """Give the name of the one container of a service."""
        return f"{self.project}-{service}-1"

    def url(self, service: str) -> str:
        """Give the address of a service, past any edge."""
        template = f'{{{{(index .NetworkSettings.Networks "{self.front}").IPAddress}}}}'
        address = docker("inspect", "--format", template, self.container(service))
        return f"http://{address}:{PORTS.get(service, 8000)}"

    def ask(self, service: str, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request to a service."""
        return httpx.request(method, f"{self.url(service)}{path}", timeout=90, trust_env=False, **options)

    def paste(self, text: str) -> str:
        """Hand in a document and give its job."""
        body = {"text": text, "origin": "test", "sensitivity": "internal"}
        return str(self.ask("ingest", "POST", "/api/v1/ingest/paste", json=body).json()["job_id"])

    def ingest_status(self, job_id: str) -> dict[str, Any]:
        """Give the state of an ingest job."""
        found: dict[str, Any] = self.ask("ingest", "GET", f"/api/v1/ingest/status/{job_id}").json()
        return found

    def ingest(self, text: str) -> str:
        """Hand in a document, wait for the worker, and give its job."""
        job_id = self.paste(text)
        wait_until(lambda: self.ingest_status(job_id)["status"] == "completed", timeout_seconds=60)
        return job_id

    def search(self, text: str) -> list[dict[str, Any]]:
        """Give the results of a search."""
        body = {"query": text, "limit": 5}
        found: list[dict[str, Any]] = self.ask("ingest", "POST", "/api/v1/search", json=body).json()["results"]
        return found

    def start_job(self, **request: Any) -> str:
        """Start an agents job."""
        return str(self.ask("agents", "POST", "/api/v1/jobs", json=request).json()["job_id"])

    def results(self, job_id: str, *, wait_seconds: int) -> dict[str, Any]:
        """Wait for the end of an agents job."""
        path = f"/api/v1/jobs/{job_id}/results?wait_seconds={wait_seconds}"
        found: dict[str, Any] = self.ask("agents", "GET", path).json()
        return found

    def readiness(self) -> str:
        """Give what the body of ingest's readiness says."""
        return str(self.ask("ingest", "GET", "/health/ready").json()["status"])


@dataclass(slots=True, kw_only=True)
class Stack:
    """Networks, data services and model endpoint, shared by the releases of a test run."""

    name: str
    images: dict[str, str] = field(default_factory=dict)

    @property
    def front(self) -> str:
        """Name of the network of services."""
        return f"{self.name}-front"

    @property
    def model(self) -> str:
        """Name of the container of the model endpoint."""
        return f"{self.name}-model"

    def core(self, service: str) -> str:
        """Give the container of a data service."""
        return f"{self.name}-core-{service}-1"

    @contextlib.contextmanager
    def silent_model(self) -> Iterator[None]:
        """Let the model answer nobody while the context is open: work that needs it stays where it is."""
        docker("pause", self.model)
        try:
            yield
        finally:
            docker("unpause", self.model)

    def build(self, image: str, *, fault: str = "none") -> str:
        """Build an image of the app and give its tag."""
        tag = f"{self.name}/{image}:{fault.replace(':', '-')}"
        arguments = ["--build-arg", f"FAULT={fault}", "--file", str(REFERENCE / f"{image}.Dockerfile")]
        docker("build", "--quiet", *arguments, "--tag", tag, str(REFERENCE))
        self.images[tag] = image
        return tag

    def up(self, project: str, compose: dict[str, Any], *options: str) -> None:
        """Start a compose project from a file that exists only on its standard input."""
        text = json.dumps(compose)
        docker("compose", "--project-name", project, "--file", "-", "up", "--detach", *options, stdin=text)

    def down(self, project: str) -> None:
        """Remove a compose project by its name."""
        docker("compose", "--project-name", project, "down", "--timeout", "1", check=False)

    def template(self, release: str, images: dict[str, str]) -> dict[str, Any]:
        """Give the app's template with the images of each compose service, for the project `<stack>-<release>`."""
        values = {
            PROJECT_PLACEHOLDER: f"{self.name}-{release}",
            RELEASE_PLACEHOLDER: release,
            VERSION_PLACEHOLDER: "v1.0.0",
        }
        text = (COMPOSE / "app.yaml").read_text(encoding="utf-8")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        compose: dict[str, Any] = yaml.safe_load(text)
        for service, image in images.items():
            compose["services"][service]["image"] = image
        return self.with_networks(compose)

    def with_networks(self, compose: dict[str, Any]) -> dict[str, Any]:
        """Name the external networks of a template."""
        compose["networks"] = {name: {"name": f"{self.name}-{name}", "external": True} for name in compose["networks"]}
        return compose

    @contextlib.contextmanager
    def release(self, release: str) -> Iterator[Release]:
        """Run a good release until it is healthy, and remove it."""
        project = f"{self.name}-{release}"
        ingest, agents = self.build("ingest"), self.build("agents")
        compose = self.template(release, {"ingest": ingest, "worker": ingest, "agents": agents})
        try:
            self.up(project, compose, "--wait", "--wait-timeout", "120")
            yield Release(project=project, release=release, front=self.front)
        finally:
            self.down(project)

    @contextlib.contextmanager
    def faulty(self, faults: Sequence[str]) -> Iterator[dict[str, Release]]:
        """Run one ingest of each faulty image, all in one project, and remove them."""
        project = f"{self.name}-faulty"
        compose = self.template("faulty", {})
        ingest = compose["services"]["ingest"]
        names = {fault: fault.replace(":", "-").replace(".", "-") for fault in faults}
        compose["services"] = {
            name: {**ingest, "image": self.build("ingest", fault=fault)} for fault, name in names.items()
        }
        try:
            self.up(project, compose)
            yield {fault: Release(project=project, release="faulty", front=self.front) for fault in faults}
        finally:
            self.down(project)
