"""What every test gets: no credentials of the caller's, a golden-file comparison, and hypothesis without surprises."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Callable

CREDENTIALS = re.compile(
    r"^(LOCAL|STAGING|PRODUCTION)_|^(DATABASE_URL|REDIS_URL|SECRET_KEY|JWT_SECRET_KEY|ENCRYPTION_KEY|LLM_ENDPOINT"
    r"|EMBEDDING_ENDPOINT|OPENAI_API_KEY|REGISTRY_PASSWORD|SSH_AUTH_SOCK|PULUMI_.*|GITHUB_.*)$"
)
GOLDEN_FOLDER = "golden"
WORLDS = {"e2e": "world", "faults": "second world", "workflows": "second world"}
"""The scratch world that the tests of a tier release in."""

settings.register_profile("acp", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("acp")


class Golden(Protocol):
    """Compares a text with the golden file of that name beside the test."""

    def __call__(self, name: str, text: str) -> None:
        """Fail with both texts when they differ; write the file with `--update-golden`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update-golden`."""
    parser.addoption("--update-golden", action="store_true", help="Write golden files instead of comparing with them.")


class LabScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives all tests that share a lab to one process; what a lab is for follows from the test's folder."""

    def _split_scope(self, nodeid: str) -> str:
        """Return what is not spread over processes: the tests of one world, else those of one folder."""
        tier, *folders = nodeid.partition("::")[0].removeprefix("tests/").split("/")[:-1]
        return WORLDS.get(tier) or "/".join((tier, *folders))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LabScheduling:
    """Let xdist (`--numprocesses`) schedule by lab."""
    return LabScheduling(config, log)


@pytest.fixture(autouse=True)
def _no_credentials(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit and component tests see none of the caller's secrets and Pulumi settings."""
    if request.node.path.is_relative_to(request.config.rootpath / "tests" / "unit") or request.node.path.is_relative_to(
        request.config.rootpath / "tests" / "components"
    ):
        for name in [name for name in os.environ if CREDENTIALS.match(name)]:
            monkeypatch.delenv(name)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return the comparison with golden files; `--update-golden` writes them."""
    folder = request.path.parent / GOLDEN_FOLDER
    update = bool(request.config.getoption("--update-golden"))

    def compare(name: str, text: str) -> None:
        path = folder / name
        if update:
            folder.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path.name} does not exist; run pytest with --update-golden"
        assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; if meant, run with --update-golden"

    return compare
