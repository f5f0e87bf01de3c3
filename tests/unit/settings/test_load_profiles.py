from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infra.errors import SettingsError
from infra.paths import PROJECT_ROOT
from infra.settings import Settings, load_settings
from tests.support.settings import make_settings, service, stack_config

if TYPE_CHECKING:
    from pathlib import Path


def problems_of(config: dict[str, Any], root: Path) -> tuple[str, ...]:
    """Return the problems that loading `config` raises."""
    with pytest.raises(SettingsError) as caught:
        load_settings("local", config, root=root)
    return caught.value.problems


def load_profile(**scenario: Any) -> dict[str, Any]:
    """Return a section `load` with one profile of searches."""
    search = {"rate": 1, "max_p95_ms": {"search": 300}, **scenario}
    return {"profiles": {"own": {"duration_seconds": 10, "scenarios": {"search": search}}}}


@pytest.mark.parametrize(
    ("load", "problem"),
    [
        pytest.param(
            load_profile(max_p95_ms={"serch": 300}),
            "load.profiles.own: scenarios.search.max_p95_ms.serch: names no endpoint (there are search)",
            id="a threshold that names no endpoint",
        ),
        pytest.param(
            load_profile(max_p95_ms={}),
            "load.profiles.own.scenarios.search.max_p95_ms: Dictionary should have at least 1 item after validation,"
            " not 0 (got {})",
            id="no threshold",
        ),
        pytest.param(
            load_profile(rate=0.05),
            "load.profiles.own: scenarios.search: 0.05 a second for 10 s are no arrival",
            id="nothing would arrive",
        ),
        pytest.param(
            {"after_release": "heavy"},
            "load: after_release: there is no profile 'heavy' (smoke, light, load, stress, soak)",
            id="a profile that is not there",
        ),
        pytest.param(
            {"regression": {"tolerated_ratio": 1.2, "max_ratio": 1.2}},
            "load.regression: max_ratio: must be above tolerated_ratio (1.2, got 1.2)",
            id="no room between the ratios",
        ),
        pytest.param(
            {"regression": {"requests": [{"service": "acp-ingest", "method": "POST", "path": "/api/v1/ingest/paste"}]}},
            "load.regression.requests[0].path: '/api/v1/ingest/paste' is not in repeatable_paths of acp-ingest: it may"
            " do harm",
            id="a request that is not safe",
        ),
        pytest.param(
            {"regression": {"requests": [{"service": "acp-worker", "path": "/x"}]}},
            "load.regression.requests[0].service: no web service 'acp-worker' in services",
            id="a request to nobody",
        ),
    ],
)
def test_a_load_section_that_cannot_be_meant_is_refused(tmp_path: Path, load: dict[str, Any], problem: str) -> None:
    """Thresholds, profiles and requests that lead nowhere are problems of the file, not a run that passes."""
    assert problems_of(stack_config(load=load), tmp_path) == (problem,)


def test_a_stack_adds_to_the_usual_profiles(tmp_path: Path) -> None:
    """Profiles of the stack's own stand beside the usual ones, or in place of one with the same name."""
    own = load_profile()["profiles"]["own"]
    config = stack_config(load={"profiles": {"own": own, "light": own}})
    found = load_settings("local", config, root=tmp_path).load.profiles
    assert list(found) == ["smoke", "light", "load", "stress", "soak", "own"]
    assert found["light"] == found["own"] != found["load"]


def test_settings_survive_the_way_to_the_driver(tmp_path: Path) -> None:
    """What the program hands to the driver as JSON is read back as the same settings."""
    settings = load_settings("local", stack_config(load=load_profile()), root=tmp_path)
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(("stack", "profile"), [("local", None), ("staging", "after-release"), ("production", "light")])
def test_what_each_stack_puts_on_a_release(stack: str, profile: str | None) -> None:
    """Staging gets a short load after each release, production the light one, the local stack none."""
    document = yaml.safe_load((PROJECT_ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))
    assert (document["config"].get("acp:load") or {}).get("after_release") == profile


def test_what_is_compared_depends_on_the_services() -> None:
    """Search and a job's state where the stack has them, its own requests instead, and health for what is left."""
    settings = make_settings()
    asked = [str(request) for request in settings.load.regression.requests_of(settings.services)]
    assert asked == ["POST /api/v1/search", "GET /api/v1/jobs/00000000-0000-4000-8000-000000000000"]
    own = [{"service": "acp-ingest", "path": "/version"}]
    settings = make_settings(load={"regression": {"requests": own}})
    found = settings.load.regression.requests_of(settings.services)
    assert [(request.service, str(request)) for request in found] == [
        ("acp-ingest", "GET /version"),
        ("acp-agents", "GET /health"),
    ]
    plain = service(routes={"public_port": 8000})
    settings = make_settings(services={"acp-ingest": plain})
    assert [str(request) for request in settings.load.regression.requests_of(settings.services)] == ["GET /health"]
