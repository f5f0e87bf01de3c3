from __future__ import annotations

from typing import Any

import pytest

from infra.hostctl import spec as spec_module
from infra.hostctl.errors import HostctlError
from infra.hostctl.fields import Fields
from infra.hostctl.fleet import load_spec
from infra.hostctl.spec import ReleaseSpec, check_new, read_spec
from infra.settings import base as settings_base
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.release_spec import IMAGE, V1, V2, readiness, spec


def read(value: dict[str, Any]) -> ReleaseSpec:
    """Read a spec as a request's field."""
    fields = Fields(value, "spec")
    found = read_spec(fields)
    fields.done()
    return found


def problems(value: dict[str, Any]) -> list[str]:
    """Return the problems of a spec."""
    with pytest.raises(HostctlError) as caught:
        read(value)
    found: list[str] = caught.value.details["problems"]
    return found


def test_a_spec_knows_its_containers_and_memory() -> None:
    """Container names are compose's, and the memory counts every replica."""
    found = read(spec("v1.0.0-aa", replicas=2))
    assert found.containers(found.services[0]) == ("acp-v1-0-0-aa-ingest-1", "acp-v1-0-0-aa-ingest-2")
    assert found.memory_bytes == 6 * 1024
    assert [service.name for service in found.web_services] == ["acp-ingest", "acp-agents"]
    assert found.service_of("worker") is not None


def test_a_worker_needs_no_port_and_no_readiness() -> None:
    """A worker has no port, a web service must have one."""
    value = spec("v1")
    del value["services"][0]["port"]
    del value["services"][0]["readiness"]
    assert problems(value) == ["spec.services[0].readiness: is required", "spec.services[0].port: is required"]


@pytest.mark.parametrize(
    ("said", "seconds"), [({}, 60), ({"readiness": {"timeout_seconds": 600}}, 600), ({"readiness": readiness()}, 10)]
)
def test_a_worker_may_say_how_long_it_takes(said: dict[str, Any], seconds: float) -> None:
    """A release that was described before it could says nothing, or all that a web service does."""
    value = spec("v1")
    value["services"][-1] |= said
    assert read(value).workers[0].ready_timeout_seconds == seconds


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"release": "a/b"}, "spec.release"),
        ({"project": "Acp"}, "spec.project"),
        ({"project": "acp-edge"}, "spec.project"),
        ({"images": ["app:latest"]}, "spec.images[0]"),
        ({"secret_names": ["A B"]}, "spec.secret_names[0]"),
        ({"services": []}, "spec.services"),
        ({"more": 1}, "spec.more"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, Any], path: str) -> None:
    """Each field has its own rule."""
    assert any(problem.startswith(f"{path}: ") for problem in problems({**spec("v1"), **change}))


def test_readiness_that_could_break_the_edge_configuration_is_refused() -> None:
    """What goes into HAProxy's configuration cannot have quotes, blanks in paths or line ends."""
    value = spec("v1")
    value["services"][0]["readiness"] = readiness(path="/x y", field='a"', equals="ready\nbackend evil")
    assert len([problem for problem in problems(value) if ".readiness." in problem]) == 3


def test_two_services_cannot_share_a_port_or_name() -> None:
    """A public port belongs to one service."""
    value = spec("v1")
    value["services"][1]["routes"]["public_port"] = 8000
    value["services"][1]["name"] = "acp-ingest"
    assert problems(value) == [
        "spec.services: name 'acp-ingest' is there twice",
        "spec.services: public_port 8000 is there twice",
    ]


def test_a_service_must_be_in_the_compose_file() -> None:
    """A service without a compose service cannot be started."""
    value = spec("v1")
    value["services"][0]["compose_service"] = "other"
    assert problems(value) == ["spec.services[0].compose_service: 'other' is not in compose.services"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("privileged", True),
        ("network_mode", "host"),
        ("pid", "host"),
        ("cap_add", ["SYS_ADMIN"]),
        ("devices", ["/dev/kmsg"]),
        ("volumes", ["/:/host"]),
        ("volumes", ["../x:/y"]),
        ("volumes", [{"type": "bind", "source": "/", "target": "/x"}]),
        ("security_opt", ["seccomp=unconfined"]),
        ("ports", ["80:80"]),
        ("image", "evil:latest"),
        ("env_file", "/etc/shadow"),
        ("build", "."),
        ("extends", {"file": "/x"}),
    ],
)
def test_a_release_cannot_ask_for_the_host(key: str, value: object) -> None:
    """A stolen deploy key cannot reach the host through a compose file."""
    body = spec("v1")
    body["compose"]["services"]["ingest"][key] = value
    assert any(problem.startswith(f"spec.compose.services.ingest.{key}") for problem in problems(body))


def test_only_a_new_release_is_refused_its_devices() -> None:
    """A host goes on with one that it has kept from a time when they were allowed."""
    body = spec("v1")
    reserved = {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}}
    body["compose"]["services"]["ingest"]["deploy"] = reserved
    fields = Fields(body)
    check_new(fields, read(body))
    assert fields.problems == [
        "spec.compose.services.ingest.deploy.resources.reservations.devices: is not allowed in a release"
    ]


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("networks", {}),
        ("networks", {"external": True, "name": "host"}),
        ("volumes", {"external": True, "name": "acp-other-postgres"}),
        ("volumes", {"driver_opts": {"type": "none", "o": "bind", "device": "/"}}),
        ("volumes", {"external": True, "name": "acp-local-x", "driver_opts": {}}),
    ],
)
def test_networks_and_volumes_are_the_stack_s_own(kind: str, entry: dict[str, Any]) -> None:
    """A release uses what the stack made, and makes nothing itself."""
    body = spec("v1")
    body["compose"].setdefault(kind, {})["x"] = entry
    assert any(problem.startswith(f"spec.compose.{kind}.x: ") for problem in problems(body))


def test_what_an_app_needs_is_allowed() -> None:
    """Limits, health checks, tmpfs and named volumes of the stack pass."""
    body = spec("v1")
    body["compose"]["volumes"] = {"data": {"external": True, "name": "acp-local-data"}}
    body["compose"]["services"]["ingest"] |= {
        "deploy": {"resources": {"reservations": {"memory": "32m"}}},
        "image": IMAGE, "read_only": True, "tmpfs": ["/cache"], "cap_drop": ["ALL"], "volumes": ["data:/data", "/more"],
        "security_opt": ["no-new-privileges:true"], "mem_limit": 1, "cpus": 0.5, "healthcheck": {"disable": True},
    }  # fmt: skip
    assert read(body).release == "v1"


TAKEN = ["LD_PRELOAD", "PATH", "HOME", "DOCKER_HOST", "COMPOSE_FILE", "PYTHONPATH", "SSH_AUTH_SOCK", "GODEBUG"]
FREE = ["DATABASE_URL", "OPENAI_API_KEY", "SSH_PRIVATE_KEY", "HTTP_PROXY", "MY_DOCKER_TOKEN", "PATH_PREFIX", "OLD_KEY"]


@pytest.mark.parametrize("command", ["start", "preflight"])
def test_a_secret_that_docker_compose_would_read_itself_is_refused(world: FakeHost, command: str) -> None:
    """Its value would be a setting of the program that starts the containers; nothing is changed."""
    asked = spec(V1, secret_names=[*FREE, *TAKEN])
    given = {"secrets": dict.fromkeys([*FREE, *TAKEN], "value")} if command == "start" else {}
    error = refused("bad_request", world, command, spec=asked, **given)
    assert [problem.split()[1] for problem in error.details["problems"]] == TAKEN
    assert error.details["problems"][0].startswith(f"spec.secret_names[{len(FREE)}]: LD_PRELOAD is read by docker")
    assert not world.host.paths.journal.exists()


def test_a_kept_release_with_such_a_secret_goes_on(world: FakeHost) -> None:
    """What was made by an older hostctl can still be looked at, replaced and removed."""
    world.release(V1)
    kept = world.host.paths.release(V1)
    kept.write_text(kept.read_text().replace('"DATABASE_URL"\n', '"DOCKER_TOKEN"\n'))
    assert load_spec(world.host, V1).secret_names == ("DOCKER_TOKEN",)
    world.release(V2)


def test_stack_file_and_host_refuse_the_same_names() -> None:
    """What a host refuses is said before anything is built."""
    assert spec_module.READ_BY_TOOLS == settings_base.READ_BY_TOOLS
