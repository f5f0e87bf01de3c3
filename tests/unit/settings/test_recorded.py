from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.gate import policy_hash
from infra.errors import SettingsError, UsageError
from infra.settings.recorded import as_recorded
from tests.support.release import IMAGES, make_release
from tests.support.settings import make_settings, service, services

if TYPE_CHECKING:
    from infra.settings import Settings

THEN = make_settings(
    services=services(
        port=8100,
        replicas=2,
        cpus=1.5,
        readiness={"path": "/readyz", "equals": "up"},
        routes={"public_port": 8100, "repeatable_paths": ["/find"]},
        drain_timeout_seconds=7,
    ),
    checks={"smoke": {"job": {"ask": "{text}"}}},
)
"""A stack whose ingest service was somewhere else."""


def entry_of_then(then: Settings = THEN, *, is_told: bool = True) -> dict[str, Any]:
    """Return what the record has of a release that was made by the settings of then."""
    release = make_release(then)
    return {
        "release": release.id,
        "images": {name: ref.pinned for name, ref in IMAGES.items()},
        "spec": release.spec,
        **({"settings": then.of_release()} if is_told else {}),
    }


def test_what_describes_the_release_is_as_it_was() -> None:
    """Services and how the checks ask them are those of then; hosts, limits and rules are those of today."""
    today = make_settings(
        environment={"NEW": "1"},
        rollout={"keep": 9},
        checks={"ingest_service": "acp-agents", "passes": 4, "smoke": {"job": {"q": "{text}"}}},
    )
    found = as_recorded(today, entry_of_then())
    assert found.services == THEN.services
    assert (found.checks.ingest_service, found.checks.smoke) == ("acp-ingest", THEN.checks.smoke)
    assert found.checks.passes == 4
    left = {"services", "checks"}
    assert found.model_dump(exclude=left) == today.model_dump(exclude=left)
    assert policy_hash(found) == policy_hash(today), "what was scanned a moment ago would be scanned again"


@pytest.mark.parametrize(
    "today",
    [
        make_settings(),
        make_settings(services={**services(), "acp-more": service(compose_service="more", routes={"public_port": 9})}),
        make_settings(services={name: told for name, told in services().items() if name != "acp-worker"}),
    ],
    ids=["moved", "added a web service", "removed a worker"],
)
def test_a_release_that_was_recorded_without_settings_is_as_its_spec_has_it(today: Settings) -> None:
    """All that the spec and the compose file say; how health is asked is in neither."""
    assert as_recorded(today, entry_of_then(is_told=False)).services == THEN.services


def test_how_health_is_asked_is_todays_where_nobody_recorded_it() -> None:
    """Of the service with the same name."""
    today = make_settings(services=services(health={"path": "/healthz"}))
    found = as_recorded(today, entry_of_then(is_told=False))
    assert found.services["acp-ingest"].health.path == "/healthz"
    assert found.services["acp-agents"].health.path == "/health"


def test_what_nobody_can_tell_is_refused() -> None:
    """A web service that today's settings lack, or have as a worker, and a check whose service was not there yet."""
    today = make_settings(
        services={
            "acp-docs": service(),
            "acp-agents": {"image": "acp-agents", "compose_service": "agents", "role": "worker"},
        },
        checks={"ingest_service": "acp-docs"},
    )
    entry = entry_of_then(is_told=False)
    with pytest.raises(UsageError) as caught:
        as_recorded(today, entry)
    assert caught.value.what.splitlines() == [
        f"{entry['release']} was recorded without its settings, and those of today do not fit it:",
        "  - checks.ingest_service: 'acp-docs' is no web service of that release",
        "  - services.acp-agents: is not there, and nothing else says how its health is asked",
        "  - services.acp-ingest: is not there, and nothing else says how its health is asked",
    ]
    assert "checkout" in caught.value.mend


def test_a_recorded_key_that_is_not_known_here_is_named() -> None:
    """As a later version of this program may record one."""
    entry = entry_of_then()
    entry["settings"]["services"]["acp-ingest"]["colour"] = "green"
    with pytest.raises(SettingsError, match=r"1 problem in the record of .*\n.*services\.acp-ingest\.colour: unknown"):
        as_recorded(make_settings(), entry)
