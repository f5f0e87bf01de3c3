from __future__ import annotations

import json
from typing import Any

import pytest

from infra.domain.text_form import to_text
from infra.rollout.context import host_clients, open_context, who
from infra.settings.model import SECRET_NAMES
from infra.settings.secrets import SecretValues
from tests.support.release import make_release
from tests.support.settings import make_settings, services


def through_the_engine(value: Any) -> Any:
    """Return a value as a dynamic provider gets it: JSON, and every number a float."""
    return json.loads(json.dumps(value), parse_int=float)


def numbers(value: Any) -> list[float]:
    """Return every number in a document."""
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, int | float) else []


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set every secret of the stack."""
    for name in (*SECRET_NAMES, "REGISTRY_PASSWORD"):
        monkeypatch.setenv(f"LOCAL_{name}", f"s3cr3t-{name}")


def test_settings_and_spec_survive_the_engine() -> None:
    """What the driver works with equals what the program declared, whole numbers included."""
    settings = make_settings(rollout={"strategy": "canary", "canary": {"steps": [10, 50]}}, core={})
    release = make_release(settings)
    props = through_the_engine(
        {
            "settings": to_text(settings.model_dump(mode="json")),
            "spec": to_text(dict(release.spec)),
            "run_id": "run-1",
            "leases": {"h1": {"holder": "run-1", "fence": 7}},
        }
    )
    context = open_context(props)
    assert context.settings == settings
    assert context.spec == release.spec
    assert not [number for number in numbers(context.spec) if isinstance(number, float) and number.is_integer()]
    assert context.release == release.id
    assert context.group.leases == {"h1": {"holder": "run-1", "fence": 7}}
    assert isinstance(context.group.leases["h1"]["fence"], int)


def test_a_release_is_asked_by_its_own_settings() -> None:
    """The recorded one by its entry, and any other by those of today, which are this one's unless told."""
    then, today = make_settings(services=services(port=8100)), make_settings(services=services(port=8200))
    settings = make_settings(rollout={"keep": 9})
    spec = to_text(dict(make_release(settings).spec))
    props = {"settings": to_text(settings.model_dump(mode="json")), "spec": spec, "run_id": "run-1"}
    told = {"v1-a": then.of_release(), "": today.of_release()}
    context = open_context(through_the_engine({**props, "others": to_text(told)}))
    assert context.settings_of(context.release) == settings
    for release, expected in {"v1-a": then, "v0-a": today, "": today}.items():
        assert context.settings_of(release).services == expected.services
        assert context.settings_of(release).rollout == settings.rollout
    assert open_context(props).settings_of("v1-a") == settings


def test_secrets_come_from_the_runner_and_not_from_the_resource() -> None:
    """The driver reads the environment of its own process; the registry login is made from it."""
    settings = make_settings()
    props = {"settings": settings.model_dump(mode="json"), "spec": dict(make_release(settings).spec), "run_id": "r"}
    context = open_context(props)
    assert context.registry_login == {
        "server": "registry.test:5000",
        "username": "acp",
        "password": "s3cr3t-REGISTRY_PASSWORD",
    }
    assert "s3cr3t" not in json.dumps(props)


def test_every_client_knows_what_to_redact() -> None:
    """One client per host with the deploy key, and all secret values to be kept out of what it shows."""
    settings = make_settings(ssh={"setup_key_file": "/keys/setup", "deploy_key_file": "/keys/deploy"})
    clients = host_clients(settings, SecretValues(values={"A": "one", "B": "two"}))
    assert [(client.host.name, client.key_file, client.secrets) for client in clients] == [
        ("h1", "/keys/deploy", ("one", "two")),
        ("h2", "/keys/deploy", ("one", "two")),
    ]


def test_a_lease_says_who(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI the actor, by hand the user, each with the machine."""
    monkeypatch.setenv("GITHUB_ACTOR", "octocat")
    assert who().startswith("octocat@")
    monkeypatch.delenv("GITHUB_ACTOR")
    assert "@" in who()
    assert not who().startswith("octocat")
