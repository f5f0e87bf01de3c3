from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from infra import image_build
from infra.errors import RegistryError
from tests.components.conftest import ANSWERS, DIGESTS
from tests.support.pulumi_engine import run_program

if TYPE_CHECKING:
    from tests.components.conftest import Stack
    from tests.support.pulumi_engine import Recording

LOOK_UP = "docker:index/getRegistryImage:getRegistryImage"


def declared(stack: Stack, look_up: Any, said: list[str]) -> Recording:
    """Declare the build of a stack's images with a registry that answers so."""
    password = "s3cr3t-registry-password"
    return run_program(
        lambda: image_build._declare(stack.settings, pulumi.Output.secret(password), said.append),
        {**ANSWERS, LOOK_UP: look_up},
    )


def failing(text: str) -> Any:
    """Return a registry that refuses every look-up."""
    return lambda _arguments: {"failure": text}


def test_what_the_registry_lacks_is_built(stack: Stack) -> None:
    """Versions that are not published are built with the release's own component, and nothing else is declared."""
    recording = declared(stack, failing("404 not found"), [])
    assert sorted(recording.exports) == sorted(DIGESTS)
    for name, digest in DIGESTS.items():
        assert recording.exports[name].value == f"registry.test:5000/acp/{name}@{digest}"
        assert recording.named(f"{name}-image").inputs["push"] is True


def test_what_is_published_keeps_its_digest(stack: Stack) -> None:
    """A version that is in the registry is not built again, and that is said."""
    said: list[str] = []
    recording = declared(stack, ANSWERS[LOOK_UP], said)
    assert not [name for name in recording.resources if "image" in name]
    assert sorted(said) == [f"{name}: v1.4.2 is in the registry already" for name in sorted(DIGESTS)]


def test_a_registry_that_refuses_is_no_reason_to_build(stack: Stack) -> None:
    """Only a missing tag leads to a build; a refused login ends it."""
    with pytest.raises(RegistryError, match="refused the login"):
        declared(stack, failing("401 unauthorized"), [])
