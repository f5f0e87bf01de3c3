from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from infra import image_build
from infra.adapters.image_tags import ImageTags
from infra.components import build_failure
from infra.errors import RegistryError, SettingsError
from tests.components.conftest import ANSWERS, DIGESTS
from tests.support.pulumi_engine import run_program

if TYPE_CHECKING:
    from infra.domain.release import ImageRef
    from infra.settings import Settings
    from tests.components.conftest import Stack
    from tests.support.pulumi_engine import Recording

LOOK_UP = "docker:index/getRegistryImage:getRegistryImage"


def declared(stack: Stack, look_up: Any, said: list[str], built: list[str] | None = None) -> Recording:
    """Declare the build of a stack's images with a registry that answers so; `built` gets what is built."""
    password, names = "s3cr3t-registry-password", [] if built is None else built
    return run_program(
        lambda: names.extend(image_build._declare(stack.settings, password, said.append)),
        {**ANSWERS, LOOK_UP: look_up},
    )


def failing(text: str) -> Any:
    """Return a registry that refuses every look-up."""
    return lambda _arguments: {"failure": text}


def test_what_the_registry_lacks_is_built(stack: Stack) -> None:
    """Versions that are not published are built with the release's own component, and nothing else is declared."""
    built: list[str] = []
    recording = declared(stack, failing("404 not found"), [], built)
    assert sorted(recording.exports) == sorted(built) == sorted(DIGESTS)
    for name, digest in DIGESTS.items():
        assert recording.exports[name].value == f"registry.test:5000/acp/{name}@{digest}"
        assert recording.named(f"{name}-image").inputs["push"] is True


def test_a_stage_of_the_dockerfile_is_built(stack: Stack) -> None:
    """Two images may be stages of one Dockerfile; without a name it is the last stage."""
    images = stack.settings.model_dump(mode="json")["images"]
    images["acp-agents"]["target"] = "agents"
    recording = declared(stack.bent(images=images), failing("404 not found"), [])
    assert [recording.named(f"{name}-image").inputs.get("target") for name in sorted(DIGESTS)] == ["agents", None]


def test_what_is_published_keeps_its_digest(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that is in the registry is not built again, and that is said."""
    monkeypatch.setattr(ImageTags, "labels", lambda _self, _pinned: {})
    said: list[str] = []
    built: list[str] = []
    recording = declared(stack, ANSWERS[LOOK_UP], said, built)
    assert not [name for name in recording.resources if "image" in name]
    assert built == []
    assert sorted(said) == [f"{name}: v1.4.2 is in the registry already" for name in sorted(DIGESTS)]


def test_what_nobody_vouches_for_is_built_anew(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that somebody else may have pushed is built and pushed over it, which is said with the reason."""
    asked: list[str] = []

    def why_not_reused(_settings: Settings, _password: str, image: ImageRef) -> str:
        asked.append(image.pinned)
        return "it is not signed" if image.name == "acp-agents" else ""

    monkeypatch.setattr(image_build, "why_not_reused", why_not_reused)
    said: list[str] = []
    built: list[str] = []
    recording = declared(stack, ANSWERS[LOOK_UP], said, built)
    assert built == ["acp-agents"]
    assert sorted(asked) == [f"registry.test:5000/acp/{name}@sha256:{'c' * 64}" for name in sorted(DIGESTS)]
    image = recording.named("acp-agents-image").inputs
    assert (image["push"], image["tags"]) == (True, ["registry.test:5000/acp/acp-agents:v1.4.2"])
    assert recording.exports["acp-agents"].value == f"registry.test:5000/acp/acp-agents@{DIGESTS['acp-agents']}"
    assert (
        "acp-agents: v1.4.2 is in the registry, but it is not signed; it is built anew, and that one replaced" in said
    )


def test_a_registry_that_refuses_is_no_reason_to_build(stack: Stack) -> None:
    """Only a missing tag leads to a build; a refused login ends it."""
    with pytest.raises(RegistryError, match="refused the login"):
        declared(stack, failing("401 unauthorized"), [])


def test_sources_that_are_not_there_are_refused_before_anything_is_built(stack: Stack) -> None:
    """A misspelt Dockerfile is a problem of the stack file."""
    images = {name: {"context": "compose", "dockerfile": "compose/Dokerfile"} for name in DIGESTS}
    with pytest.raises(SettingsError, match=r"images.acp-ingest.dockerfile: there is no file compose/Dokerfile"):
        declared(stack.bent(images=images), failing("404 not found"), [])


def test_a_failed_build_says_why(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider says nothing but an exit status, so that a hook tells the reason; the build is not tried again."""
    told: list[str] = []
    monkeypatch.setattr(build_failure, "why_not_built", lambda *arguments: f"why {arguments[0]} {arguments[3]}")
    monkeypatch.setattr(pulumi.log, "error", told.append)
    hook = declared(stack, failing("404 not found"), []).error_hooks["why-acp-agents-image"]
    failed = pulumi.ErrorHookArgs(urn="", id="", name="acp-agents-image", type="")
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(hook.callback(failed)) is False  # type: ignore[arg-type]
    loop.close()
    assert told == ["why acp-agents registry.test:5000/acp/acp-agents:v1.4.2"]
