"""What a host would refuse in a release's compose file is refused before anything is built."""

from __future__ import annotations

from typing import Any

import pytest

from infra.checks.compose import check_compose
from infra.checks.compose_mends import MENDS
from infra.errors import GateError, SettingsError
from infra.hostctl.compose_policy import SERVICE_KEYS, TOP_KEYS
from tests.support.release import template
from tests.support.settings import make_settings, services

PINNED = f"docker.io/library/redis@sha256:{'c' * 64}"


def refusal(document: dict[str, Any]) -> str:
    """Return what is said of the app's compose file."""
    with pytest.raises(GateError) as caught:
        check_compose(make_settings(), document, None)
    return str(caught.value)


def breaches(document: dict[str, Any]) -> list[str]:
    """Return the breaches that are named."""
    return [line.removeprefix("  - compose/app.yaml: ") for line in refusal(document).splitlines() if " - " in line]


@pytest.mark.parametrize(
    ("key", "value", "mend"),
    [
        ("build", ".", "acp:images says how"),
        ("ports", ["127.0.0.1:8000:8000"], "the edge publishes acp:services.NAME.routes.public_port"),
        ("container_name", "ingest", "a container is named after its release"),
        ("env_file", ".env", "write its lines under `environment`"),
        ("extra_hosts", ["db:10.0.0.1"], "others by DNS"),
        ("secrets", ["key"], "takes a secret that is in acp:secrets.names"),
        ("network_mode", "host", "use `front` and `data`"),
        ("profiles", ["web"], "every service of the file is started"),
        ("privileged", True, "take it out"),
        ("gpus", "all", "take it out"),
        ("depends_on", ["redis"], "take it out (a data service runs before any release starts)"),
        ("security_opt", ["no-new-privileges:true", "seccomp=unconfined"], "keep no-new-privileges:true alone"),
    ],
)
def test_a_key_that_hosts_refuse_is_one_breach_with_a_mend(key: str, value: Any, mend: str) -> None:
    """It is said once, also where the program's own rules refuse it, and ends with what to do."""
    document = template()
    document["services"]["ingest"][key] = value
    (found,) = breaches(document)
    assert found.startswith(f"services.ingest.{key}: ")
    assert mend in found.split("; ", 1)[1]


@pytest.mark.parametrize("volume", ["cache:/cache", {"type": "volume", "source": "cache", "target": "/cache"}])
def test_a_volume_and_a_network_that_are_not_declared_are_refused(volume: Any) -> None:
    """Compose would refuse them on the host only."""
    document = template()
    document["services"]["ingest"] |= {"volumes": ["/anonymous", volume], "networks": {"front": {}, "own": {}}}
    network, stored = breaches(document)
    assert network.startswith("services.ingest.networks: own is not declared; use `front` and `data`")
    assert stored.startswith("services.ingest.volumes: cache is not declared; declare it under `volumes` as {external")


def test_what_is_in_the_file_may_be_asked_for() -> None:
    """A service, an optional one that is not there, and a volume of the stack are no problem."""
    document = template()
    document["volumes"] = {"cache": {"external": True, "name": "acp-local-cache"}}
    document["services"]["worker"] |= {
        "depends_on": {"ingest": {"condition": "service_healthy"}, "redis": {"required": False}},
        "volumes": ["cache:/cache", {"type": "tmpfs", "target": "/more"}],
    }
    document["services"]["agents"]["depends_on"] = ["ingest"]
    check_compose(make_settings(), document, None)


def test_a_volume_that_no_host_has_is_refused() -> None:
    """A name that is not of `acp:core.volumes` would be missed on the host only; without `core` nobody knows them."""
    document = template()
    document["volumes"] = {"cache": {"external": True, "name": "acp-local-cache"}}
    made = make_settings(core={"volumes": ["postgres", "redis", "cache"]})
    check_compose(made, document, None)
    with pytest.raises(
        GateError, match=r"1 breach of .*\n.* volumes.cache: no host has acp-local-cache; add it to acp:"
    ):
        check_compose(make_settings(core={}), document, None)


@pytest.mark.parametrize(
    "address", ["http://ingest:8000", "http://ann@ingest/api", "redis://:x@ingest", "http://ingest"]
)
def test_an_address_that_other_releases_answer_too_is_refused(address: str) -> None:
    """On the stack's networks the name of a service means it in every release that runs; the value is not shown."""
    document = template()
    document["services"]["agents"]["environment"]["KNOWLEDGE"] = address
    (found,) = breaches(document)
    assert found.startswith("services.agents.environment.KNOWLEDGE: ingest is answered by the releases beside this one")
    assert found.endswith("write @PROJECT@-ingest, which services.ingest.networks.front.aliases has to name")
    assert address not in found


@pytest.mark.parametrize(
    "address", ["http://@PROJECT@-ingest:8000", "http://ingest.example.com", "http://localhost/ingest"]
)
def test_an_address_of_this_release_or_from_elsewhere_is_accepted(address: str) -> None:
    """The release's own alias, and a host that only begins with the name of a service."""
    document = template()
    document["services"]["agents"]["environment"]["KNOWLEDGE"] = address
    check_compose(make_settings(), document, None)


def test_reserved_devices_are_refused_as_devices_are() -> None:
    """Another way to ask for a device of the host changes nothing."""
    document = template()
    reservations = {"memory": "32m", "devices": [{"capabilities": ["gpu"]}]}
    document["services"]["ingest"]["deploy"] = {"resources": {"reservations": reservations}}
    (found,) = breaches(document)
    assert found.startswith("services.ingest.deploy.resources.reservations.devices: is not allowed in a release; ")


@pytest.mark.parametrize("text", ["${WORKERS}", "$WORKERS", "--workers=${WORKERS:-4}", "$$${WORKERS}"])
def test_a_variable_that_nothing_on_a_host_gives_is_refused(text: str) -> None:
    """Outside of `environment` it would be empty, or its default, without a word."""
    document = template()
    document["services"]["ingest"]["command"] = ["serve", text]
    (found,) = breaches(document)
    assert found.startswith("services.ingest.command[1]: nothing on a host gives ${WORKERS}; write the value itself")


@pytest.mark.parametrize("text", ["${SECRET_KEY}", "$SECRET_KEY", "$${WORKERS}", "$$WORKERS", "costs 5$$"])
def test_a_secret_and_an_escaped_variable_are_accepted(text: str) -> None:
    """The host gives the secrets of the stack; what is escaped is the container's own."""
    document = template()
    document["services"]["ingest"] |= {"command": text, "labels": {"note": text}}
    check_compose(make_settings(environment={"NOTE": "$NOT_A_VARIABLE"}), document, None)


def test_a_lone_dollar_is_refused_without_its_text() -> None:
    """Compose takes it for an error, and the text around it may be a secret."""
    document = template()
    document["services"]["worker"]["environment"]["PATTERN"] = "hidden$"
    assert breaches(document) == [
        "services.worker.environment.PATTERN: Compose takes a `$` for the start of a variable; write `$$`"
    ]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"readiness": {"field": 'a"b'}}, "readiness.field"),
        ({"readiness": {"equals": "ready\nbackend evil"}}, "readiness.equals"),
        ({"readiness": {"path": "/health ready"}}, "readiness.path"),
        ({"readiness": {"interval_seconds": 61}}, "readiness.interval_seconds"),
        ({"drain_timeout_seconds": 86401}, "drain_timeout_seconds"),
        ({"routes": {"public_port": 8000, "path_prefixes": ["/", "/a b"]}}, "routes.path_prefixes[1]"),
        ({"routes": {"public_port": 8000, "repeatable_paths": ["search"]}}, "routes.repeatable_paths[0]"),
    ],
)
def test_a_setting_that_hosts_refuse_is_refused_with_its_path(changes: dict[str, Any], path: str) -> None:
    """What a host would say of the release document is said of the stack file, before anything is built."""
    with pytest.raises(SettingsError) as caught:
        check_compose(make_settings(services=services(**changes)), template(), None)
    (problem,) = caught.value.problems
    assert problem.startswith(f"services.acp-ingest.{path}: must ")
    assert "docs/settings.md" in caught.value.mend


def test_the_data_services_name_only_what_is_in_their_file() -> None:
    """They are started on a host too."""
    core = {"services": {"postgres": {"depends_on": ["redis"]}}, "networks": {}}
    settings = make_settings(core={"images": {"postgres": "library/postgres:17"}})
    with pytest.raises(GateError, match=r"compose/core.yaml: services.postgres.depends_on: there is no service redis"):
        check_compose(settings, template(), core)


def test_a_bind_and_a_volume_of_its_own_are_refused() -> None:
    """A release makes no volume and mounts no path of the host; the mend says where files go."""
    document = template()
    document["services"]["ingest"]["volumes"] = ["cache:/cache", "./data:/data"]
    document["volumes"] = {"cache": None}
    found = breaches(document)
    assert [line.split(": ")[0] for line in found] == ["volumes.cache", "services.ingest.volumes[1]"]
    assert all("a volume of acp:core.volumes" in line for line in found)


def test_a_network_of_its_own_is_one_breach() -> None:
    """Only what Pulumi made may be used."""
    document = template()
    document["networks"]["own"] = None
    (found,) = breaches(document)
    assert found.startswith("networks.own: must be external")
    assert found.endswith("use `front` and `data`, each declared as {external: true}")


@pytest.mark.parametrize("image", ["redis:8", PINNED])
def test_a_container_that_is_no_service_of_the_stack_is_refused(image: str) -> None:
    """A digest does not help a sidecar: a host starts the images of the release, and nothing else."""
    document = template()
    document["services"]["cache"] = {**document["services"]["worker"], "image": image}
    found = breaches(document)
    assert [line.split(": ")[0] for line in found] == ["services.cache.image"]
    assert "give the service an entry in acp:services" in found[0]


def test_a_key_of_the_file_that_hosts_refuse_has_a_mend() -> None:
    """So has what stands beside the services."""
    (found,) = breaches({**template(), "secrets": {"key": {"file": "./key"}}})
    assert found.startswith("secrets: is not allowed in a release; take it out: `${NAME}` in `environment`")


def test_a_web_service_that_the_edge_cannot_reach_is_refused() -> None:
    """A worker may do without the edge's network, as nothing is routed to it."""
    document = template()
    for name in ("agents", "worker"):
        document["services"][name]["networks"] = {"data": {}}
    assert breaches(document) == [
        "services.agents.networks: must have `front`, on which the edge reaches a web service"
    ]


def test_no_mend_is_left_of_a_key_that_hosts_allow() -> None:
    """What stands in the table is refused by a host, whole or in part."""
    in_part = {"image", "networks", "security_opt", "volumes"}
    assert set(MENDS) & (SERVICE_KEYS | TOP_KEYS) == in_part
