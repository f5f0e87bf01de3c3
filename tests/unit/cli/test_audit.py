from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from infra.adapters.pulumi_cli import NoStackError
from infra.audit.events import ReadEvents, build_events
from infra.audit.verification import verify
from infra.cli import audit as audit_module
from infra.cli import history as history_module
from infra.cli import prune as prune_module
from infra.cli.main import main
from infra.domain.registry_retention import Spare
from tests.support.audit_world import STACK, AuditWorld
from tests.support.fake_hostctl import make_stage
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def unasked() -> list[str]:
    """Return the lines for hosts that do not answer, to be filled."""
    return []


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unasked: list[str]) -> AuditWorld:
    """Return a stack with two releases and a failure, which the commands are about."""
    world = AuditWorld.make(tmp_path, hosts=["h1"])
    world.release("v1")
    world.fail()
    world.release("v2")

    def read(_stack: str, _clients: object = (), *, is_chained: bool = False) -> ReadEvents:
        events = build_events(STACK, world.history, world.record, world.ask({}), is_chained=is_chained)
        return ReadEvents(events=events, unasked=tuple(unasked))

    clients = make_stage().context.group.clients
    for module in (history_module, audit_module):
        monkeypatch.setattr(module, "read_events", read)
        monkeypatch.setattr(module, "load", lambda _stack: make_settings())
        monkeypatch.setattr(module, "host_clients", lambda _settings: clients)
    monkeypatch.setattr(audit_module, "verify_stack", lambda *_: verify(world.history, world.record, world.ask))
    monkeypatch.setattr(audit_module, "stack_outputs", lambda _stack: {})
    return world


def run(*arguments: str, code: int = 0) -> str:
    """Run `acp-release` and return its standard output."""
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout


def test_history_has_the_newest_first() -> None:
    """Releases, failures and reverts, as a table and as JSON."""
    document = json.loads(run("history", "--stack", STACK, "--json"))
    assert [event["kind"] for event in document] == ["release", "release", "revert", "release"]
    text = run("history", "--stack", STACK)
    assert text.index("v2") < text.index("release failed") < text.index("v1-")
    assert "reverted by h1" in text
    assert "crash_loop" in text
    assert "checks 8/8" in text


@pytest.mark.parametrize("arguments", [("history",), ("audit", "verify"), ("audit", "export")])
def test_the_hosts_that_are_waited_for_are_said(arguments: tuple[str, ...]) -> None:
    """One that hangs makes half a minute of silence otherwise; on standard error."""
    assert "asking h1, h2 …" in CliRunner().invoke(main, [*arguments, "--stack", STACK]).stderr


def test_history_names_the_hosts_that_it_lacks(unasked: list[str]) -> None:
    """On standard error, so that the document stays one."""
    unasked.append("h2 was not asked: it is gone")
    result = CliRunner().invoke(main, ["history", "--stack", STACK, "--json"])
    assert (result.exit_code, "h2 was not asked: it is gone\n" in result.stderr) == (0, True)
    assert json.loads(result.stdout)


def test_an_export_that_lacks_a_host_is_written_and_fails(tmp_path: Path, unasked: list[str]) -> None:
    """Exit code 20: nobody keeps a partial copy for a whole one; the attestation says it too."""
    unasked.append("h2 was not asked: it is gone")
    path = tmp_path / "out"
    arguments = ["audit", "export", "--stack", STACK, "--format", "in-toto", "--output", str(path)]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, "h2 was not asked: it is gone" in result.stderr) == (20, True)
    assert json.loads(path.read_text(encoding="utf-8"))["predicate"]["unasked"] == unasked


def test_history_can_be_short() -> None:
    """Only the newest so many."""
    assert len(json.loads(run("history", "--stack", STACK, "--json", "--limit", "1"))) == 1


def test_a_whole_history_verifies() -> None:
    """Exit code 0, and what was looked at."""
    assert "3 updates, 2 anchors" in run("audit", "verify", "--stack", STACK)
    assert json.loads(run("audit", "verify", "--stack", STACK, "--json"))["problems"] == []


def test_a_changed_history_does_not_verify(world: AuditWorld) -> None:
    """Exit code 50, and the entry by name."""
    key = world.ids[0]
    (world.folder / f"{key}.checkpoint.json").unlink()
    assert f"changed: {key}: its checkpoint is gone" in run("audit", "verify", "--stack", STACK, code=50)
    (problem,) = json.loads(run("audit", "verify", "--stack", STACK, "--json", code=50))["problems"]
    assert (problem["finding"], problem["entry"]) == ("changed", key)


@pytest.mark.parametrize(("form", "mark"), [("jsonl", '"document_sha256"'), ("csv", "id,kind,"), ("in-toto", "_type")])
def test_the_history_is_exported_in_every_format(tmp_path: Path, form: str, mark: str) -> None:
    """To a file or to standard output, with the chain."""
    text = run("audit", "export", "--stack", STACK, "--format", form)
    assert mark in text
    run("audit", "export", "--stack", STACK, "--format", form, "--output", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text(encoding="utf-8") == text


class TestPrune:
    """`prune` removes what no stack keeps from the registry."""

    SPARE = Spare(repository="r.test/acp/a", digest="sha256:" + "a" * 64, release="v1-0", stack=STACK)

    @pytest.fixture(autouse=True)
    def registry(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
        """Return what was removed from a registry that has a signature of everything."""
        removed: list[tuple[str, str]] = []

        class Registry:
            open = classmethod(lambda cls, *_: cls())
            __enter__ = lambda self: self  # noqa: E731
            __exit__ = lambda *_: None  # noqa: E731

            def digest(self, _name: str, tag: str) -> str:
                return "sha256:signature" if tag.endswith(".sig") else ""

            def delete(self, name: str, digest: str) -> None:
                removed.append((name, digest))

        monkeypatch.setattr(prune_module, "RegistryApi", Registry)
        monkeypatch.setattr(prune_module, "load", lambda _stack: make_settings())
        monkeypatch.setattr(prune_module, "read_secrets", lambda *_, **__: {"REGISTRY_PASSWORD": ""})
        monkeypatch.setattr(prune_module, "find_spare", lambda *_: [self.SPARE])
        return removed

    def test_a_dry_run_only_says_it(self, registry: list[tuple[str, str]]) -> None:
        """With the release that nobody keeps any more."""
        assert f"would go: r.test/acp/a@{self.SPARE.digest}" in run("prune", "--stack", STACK, "--dry-run")
        assert registry == []

    def test_signatures_go_with_their_image(self, registry: list[tuple[str, str]]) -> None:
        """Nothing is left behind."""
        assert json.loads(run("prune", "--stack", STACK, "--json"))["removed"][0]["release"] == "v1-0"
        assert registry == [("acp/a", self.SPARE.digest), ("acp/a", "sha256:signature")]


def test_prune_refuses_a_backend_without_its_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another backend lists no stack that keeps anything: what it says is no reason to remove or to leave images."""

    def fail(stack: str) -> None:
        raise NoStackError(f"the backend file:///here has no stack {stack}")

    monkeypatch.setattr(prune_module, "stack_names", list)
    monkeypatch.setattr(prune_module, "stack_outputs", fail)
    with pytest.raises(NoStackError, match="has no stack local"):
        prune_module.find_spare(make_settings(), None)  # type: ignore[arg-type]
