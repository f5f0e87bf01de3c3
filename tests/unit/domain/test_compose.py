from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from infra.domain.compose import bind_release, render_compose, render_core, unknown_secrets
from infra.hostctl.fields import Fields
from infra.hostctl.spec import read_spec
from infra.paths import PROJECT_ROOT
from infra.settings.model import Core
from tests.support.release import IMAGES, make_release, template
from tests.support.settings import make_settings, service

PINNED = {name: ref.pinned for name, ref in IMAGES.items()}


def small_template(**environment: Any) -> dict[str, Any]:
    """Return a compose file of one service."""
    return {
        "x-note": {"only": "for the author"},
        "services": {"ingest": {"image": "acp/acp-ingest", "environment": environment}},
        "networks": {"front": {"external": True}, "own": None},
    }


def one_service(**changes: Any) -> Any:
    """Return settings with one service only."""
    return make_settings(**{"services": {"acp-ingest": service()}, **changes})


def test_the_rendered_app_is_the_golden_file(golden: Any) -> None:
    """The whole compose file of a release, as hostctl gets it."""
    golden("compose-app.json", json.dumps(make_release().spec["compose"], indent=2) + "\n")


def test_the_rendered_core_is_the_golden_file(golden: Any) -> None:
    """The whole compose file of the data services, as hostctl gets it."""
    core_template = yaml.safe_load((PROJECT_ROOT / "compose" / "core.yaml").read_text(encoding="utf-8"))
    images = {name: f"registry.test:5000/library/{name}@sha256:{'0' * 64}" for name in ("postgres", "redis")}
    rendered = render_core("local", core_template, images, Core())
    golden("compose-core.json", json.dumps(rendered, indent=2) + "\n")


def test_hostctl_accepts_the_rendered_release() -> None:
    """The release document passes hostctl's own reading, compose policy included."""
    fields = Fields(json.loads(json.dumps(dict(make_release().spec))))
    spec = read_spec(fields)
    fields.done()
    assert [service.name for service in spec.web_services] == ["acp-ingest", "acp-agents"]


def test_extensions_do_not_reach_the_host() -> None:
    """`x-…` keys serve the author of the file only."""
    assert "x-note" not in render_compose(one_service(), small_template(), PINNED)


def test_the_template_is_not_changed() -> None:
    """Rendering twice gives the same, since the first time leaves the template alone."""
    source = small_template(A="1")
    before = json.dumps(source)
    render_compose(one_service(), source, PINNED)
    assert json.dumps(source) == before


def test_settings_decide_image_replicas_and_limits() -> None:
    """Image, scale, memory, CPUs and grace period come from the settings, whatever the file says."""
    settings = one_service(
        services={
            "acp-ingest": service(replicas=3, memory_bytes="1GiB", cpus=0.5, drain_timeout_seconds=30.2),
        }
    )
    ingest = render_compose(settings, small_template(), PINNED)["services"]["ingest"]
    assert ingest["image"] == PINNED["acp-ingest"]
    assert (ingest["scale"], ingest["mem_limit"], ingest["cpus"]) == (3, 1024**3, 0.5)
    assert ingest["stop_grace_period"] == "36s"


def test_a_dollar_in_a_plain_setting_is_taken_literally() -> None:
    """Compose interpolates nothing into a setting of the stack."""
    settings = one_service(environment={"GREETING": "costs $5 ${SECRET_KEY}"})
    environment = render_compose(settings, small_template(), PINNED)["services"]["ingest"]["environment"]
    assert environment["GREETING"] == "costs $$5 $${SECRET_KEY}"


def test_a_setting_of_the_stack_wins_over_the_template() -> None:
    """The stack's environment replaces the template's, which keeps what the stack leaves out."""
    settings = one_service(environment={"LOG_LEVEL": "DEBUG"})
    rendered = render_compose(settings, small_template(LOG_LEVEL="INFO", LOG_FORMAT="json"), PINNED)
    environment = rendered["services"]["ingest"]["environment"]
    assert environment["LOG_LEVEL"] == "DEBUG"
    assert environment["LOG_FORMAT"] == "json"


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (0.5, "0.5"), (True, "true"), (False, "false")])
def test_values_of_the_template_become_the_text_that_yaml_means(value: object, text: str) -> None:
    """A YAML boolean stays `true`: never Python's way of writing it."""
    rendered = render_compose(one_service(), small_template(FLAG=value), PINNED)
    assert rendered["services"]["ingest"]["environment"]["FLAG"] == text


def test_a_label_without_a_value_is_empty() -> None:
    """A label has no secret to take, as Compose means it."""
    source = small_template()
    source["services"]["ingest"]["labels"] = {"team": None}
    assert render_compose(one_service(), source, PINNED)["services"]["ingest"]["labels"]["team"] == ""


def test_a_name_without_a_value_takes_the_secret_of_that_name() -> None:
    """Compose takes it from its own environment, which on a host has the secrets and nothing else."""
    rendered = render_compose(one_service(), small_template(SECRET_KEY=None), PINNED)
    assert rendered["services"]["ingest"]["environment"]["SECRET_KEY"] == "${SECRET_KEY}"


def test_a_name_without_a_value_that_nothing_gives_is_refused_with_a_mend() -> None:
    """It is neither made empty nor left out, and the mend says where it could come from."""
    (problem,) = unknown_secrets(one_service(), small_template(FROM_A_SHELL=None))
    assert problem.startswith("services.ingest.environment.FROM_A_SHELL: has no value, and no shell's environment ")
    assert problem.endswith("name FROM_A_SHELL in acp:environment or acp:secrets.names")


@pytest.mark.parametrize("value", [None, "${LOG_LEVEL:-info}"])
@pytest.mark.parametrize("name", ["LOG_LEVEL", "ACP_VERSION"])
def test_what_the_stack_decides_need_not_be_given(name: str, value: str | None) -> None:
    """A setting of the stack replaces what stands in the file, so nothing is missing."""
    settings = one_service(environment={"LOG_LEVEL": "DEBUG"})
    assert unknown_secrets(settings, small_template(**{name: value})) == []


def test_replicas_and_limits_of_deploy_are_left_out() -> None:
    """Compose refuses two values for one thing: the stack's stand in `scale`, `mem_limit` and `cpus`."""
    source = small_template()
    source["services"]["ingest"]["deploy"] = {
        "replicas": 4,
        "resources": {"limits": {"memory": "64m", "cpus": "2"}, "reservations": {"memory": "32m"}},
        "labels": {"a": "b"},
    }
    assert render_compose(one_service(), source, PINNED)["services"]["ingest"]["deploy"] == {
        "resources": {"reservations": {"memory": "32m"}},
        "labels": {"a": "b"},
    }


def test_networks_are_references_to_what_pulumi_made() -> None:
    """Networks that Pulumi makes are external, under their names; others stay as they are."""
    networks = render_compose(one_service(), small_template(), PINNED)["networks"]
    assert networks == {"front": {"name": "acp-local-front", "external": True}, "own": {}}


def test_volumes_of_the_core_are_references_to_what_pulumi_made() -> None:
    """No `compose down` can delete data: every volume is external."""
    core = Core(images={}, volumes=("postgres",))
    rendered = render_core("staging", {"services": {}, "volumes": {"postgres": {}}}, {}, core)
    assert rendered["volumes"] == {"postgres": {"name": "acp-staging-postgres", "external": True}}


def test_a_secret_the_stack_does_not_have_is_named_with_its_place() -> None:
    """Each `${NAME}` that is no secret of the stack is one problem; an escaped one is none."""
    problems = unknown_secrets(
        one_service(), small_template(A="${SECRET_KEY}", B="x ${NOT_OURS:-y} ${NOR_THIS}", C="$${ESCAPED}", D=5)
    )
    assert problems == [
        "services.ingest.environment.B: ${NOT_OURS} is not in secrets.names",
        "services.ingest.environment.B: ${NOR_THIS} is not in secrets.names",
    ]


def test_the_templates_of_this_repository_name_only_known_secrets() -> None:
    """The app's compose file asks for no secret that a stack would lack."""
    assert unknown_secrets(make_settings(), template()) == []


def test_placeholders_are_replaced_everywhere() -> None:
    """Keys, list items and nested values all get the release's names."""
    bound = bind_release(
        {"@PROJECT@-net": ["@RELEASE@", {"v": "is @VERSION@"}], "n": 5},
        release_id="v1-0",
        project="acp-v1-0",
        version="v1",
    )
    assert bound == {"acp-v1-0-net": ["v1-0", {"v": "is v1"}], "n": 5}
