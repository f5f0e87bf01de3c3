"""`acp-release rollback` and `prune`: how the update of a rollback fails, and which secrets the registry asks for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from infra.cli import prune as prune_module
from infra.cli import rollback as rollback_module
from infra.cli.main import main
from infra.errors import RolloutError

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_an_update_that_failed_does_not_say_what_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lost requests after its commit fails too, so the mend is to ask the hosts; `--json` keeps its reason."""
    asked: dict[str, Any] = {}

    def update(stack: str, **options: Any) -> bool:
        asked.update(options, stack=stack)
        return False

    monkeypatch.setattr(rollback_module, "update_stack", update)
    with pytest.raises(RolloutError) as caught:
        rollback_module._update("production", "v1-a", {"ACP_ROLLBACK_TO": "v1-a"}, as_json=True)
    assert caught.value.what == "the update that goes back to v1-a failed"
    assert "what serves: `acp-release status --stack production`" in caught.value.mend
    assert asked["to_stderr"] is True
    assert asked["env"]["ACP_ROLLBACK_TO"] == "v1-a"


def test_the_registry_is_pruned_with_its_password_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the app's secrets is asked for, as the registry needs none."""

    @contextlib.contextmanager
    def opened(_registry: object, password: str) -> Iterator[str]:
        yield password

    monkeypatch.setenv("STAGING_REGISTRY_PASSWORD", "x")
    monkeypatch.setattr(prune_module.RegistryApi, "open", opened)
    monkeypatch.setattr(prune_module, "find_spare", lambda _settings, api: [] if api == "x" else pytest.fail(api))
    done = CliRunner(catch_exceptions=False).invoke(main, ["prune", "--stack", "staging", "--dry-run"])
    assert (done.exit_code, done.output.split(":")[0]) == (0, "nothing to remove")
