from __future__ import annotations

from typing import Any

import pytest

from infra.domain.compose_form import form_problems, in_one_form


def document(**service: Any) -> dict[str, Any]:
    """Return a compose file of one service."""
    return {"services": {"app": service}}


@pytest.mark.parametrize("key", ["environment", "labels"])
def test_a_list_of_pairs_becomes_a_mapping(key: str) -> None:
    """The first `=` ends the name; a bare name has no value, an empty one an empty value."""
    source = document(image="app", **{key: ["A=b", "URL=x=y", "EMPTY=", "BARE"]})
    assert form_problems(source) == []
    assert in_one_form(source) == document(image="app", **{key: {"A": "b", "URL": "x=y", "EMPTY": "", "BARE": None}})


def test_a_mapping_stays_as_it_is() -> None:
    """Nothing else of the file is touched."""
    source = {
        **document(environment={"A": 1, "B": None}, labels=None, networks=["front"], ports=None),
        "networks": {"front": None},
        "volumes": None,
    }
    assert form_problems(source) == []
    assert in_one_form(source) == source


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"services": {"app": None}}, "services.app: must be a mapping (got nothing)"),
        ({"services": {"app": "x"}}, "services.app: must be a mapping (got a single value)"),
        (document(environment="A=b"), "services.app.environment: must be a mapping (got a single value)"),
        (document(environment=["A=b", 5]), "services.app.environment[1]: must be text of the form NAME=value"),
        (document(environment=[{"A": "b"}]), "services.app.environment[0]: must be text of the form NAME=value"),
        (document(labels=["=b"]), "services.app.labels[0]: must be text of the form NAME=value"),
        (document(environment={True: "b"}), "services.app.environment: the name True is no text in YAML: put it in"),
        (document(environment={"A": ["b"]}), "services.app.environment.A: must be one value (got a list)"),
        (document(healthcheck=True), "services.app.healthcheck: must be a mapping (got a single value)"),
        (document(logging=["x"]), "services.app.logging: must be a mapping (got a list)"),
        (document(deploy=4), "services.app.deploy: must be a mapping (got a single value)"),
        (document(volumes={"a": "/b"}), "services.app.volumes: must be a list (got a mapping)"),
        (document(cap_drop="ALL"), "services.app.cap_drop: must be a list (got a single value)"),
        ({**document(), "networks": ["front"]}, "networks: must be a mapping (got a list)"),
        ({**document(), "volumes": {"a": "b"}}, "volumes.a: must be a mapping (got a single value)"),
    ],
)
def test_another_form_is_named_with_its_path(source: dict[str, Any], expected: str) -> None:
    """What is no mapping or list where Compose asks for one is refused, and no value of it is shown."""
    found = form_problems(source)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_every_problem_of_form_is_named() -> None:
    """All of them at once."""
    assert len(form_problems({"services": {"a": None, "b": {"labels": 5}}, "networks": 5})) == 3
