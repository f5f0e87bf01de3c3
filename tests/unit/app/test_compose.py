from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from acp_reference.core.settings import REQUIRED

COMPOSE = Path(__file__).parents[3] / "compose"
FILES = ("app.yaml", "core.yaml")
SERVICES = [(name, service) for name in FILES for service in yaml.safe_load((COMPOSE / name).read_text())["services"]]


def service_of(file: str, service: str) -> dict[str, Any]:
    """Give a service as the file has it."""
    loaded: dict[str, Any] = yaml.safe_load((COMPOSE / file).read_text(encoding="utf-8"))["services"][service]
    return loaded


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_every_container_is_hardened(file: str, service: str) -> None:
    """Each container has a numeric user, a read-only root, no capabilities, limits, rotated logs and a health check."""
    found = service_of(file, service)

    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["user"].split(":")[0].isdigit()
    assert found["user"] != "0:0"
    assert {"pids_limit", "mem_limit", "cpus", "healthcheck", "stop_grace_period"} <= found.keys()
    assert all("size=" in mount for mount in found["tmpfs"])
    assert {"max-size", "max-file"} <= found["logging"]["options"].keys()


@pytest.mark.parametrize("service", ["ingest", "worker", "agents"])
def test_a_slow_disk_holds_up_no_service(service: str) -> None:
    """Docker takes the log lines of the app into memory first."""
    assert service_of("app.yaml", service)["logging"]["options"]["mode"] == "non-blocking"


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_no_secret_stands_in_a_file(file: str, service: str) -> None:
    """What the settings call a secret is taken from the environment of compose, by its own name."""
    for name, value in service_of(file, service)["environment"].items():
        if name.endswith(("_URL", "_KEY", "PASSWORD")) and name != "KNOWLEDGE_URL":
            assert value == f"${{{name}}}"


@pytest.mark.parametrize(
    ("service", "settings_of"), [("ingest", "acp-ingest"), ("worker", "acp-worker"), ("agents", "acp-agents")]
)
def test_the_template_gives_what_the_app_requires(service: str, settings_of: str) -> None:
    """A variable that the app cannot do without is in the template."""
    assert set(REQUIRED[settings_of]) <= service_of("app.yaml", service)["environment"].keys()


def test_agents_ask_their_own_release() -> None:
    """The address of the knowledge service is a name that only this release's ingest has."""
    address = service_of("app.yaml", "agents")["environment"]["KNOWLEDGE_URL"]
    aliases = service_of("app.yaml", "ingest")["networks"]["front"]["aliases"]

    assert aliases == ["@PROJECT@-ingest"]
    assert address == f"http://{aliases[0]}:8000"


def test_a_trial_is_not_restarted_by_docker() -> None:
    """Only hostctl decides what starts again: a candidate that crashes stays down until then."""
    assert {service_of("app.yaml", name)["restart"] for file, name in SERVICES if file == "app.yaml"} == {"no"}


def test_the_images_share_their_first_layer() -> None:
    """Both Dockerfiles begin with the same text, so that a host stores and pulls that layer once."""
    stages = [
        (COMPOSE / "reference" / f"{name}.Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[1]
        for name in ("ingest", "agents")
    ]

    assert stages[0] == stages[1]
