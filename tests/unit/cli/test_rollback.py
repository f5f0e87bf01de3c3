"""`acp-release rollback` and `prune`: where a rollback goes, how its update fails, and which secrets are asked for."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from infra.cli import prune as prune_module
from infra.cli import rollback as rollback_module
from infra.cli.main import main
from infra.domain.change import summarise
from infra.errors import HostUnreachableError, RolloutError, UsageError
from infra.settings.check_references import SERVICES
from tests.support.release import IMAGES, make_release
from tests.support.settings import make_settings, service
from tests.unit.cli.invoke import call

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


class TestTarget:
    """What the hosts answer decides where a rollback goes, beside the record."""

    RECORD: tuple[dict[str, Any], ...] = tuple(
        {
            "release": release,
            "hosts": {"h1": "key", "h2": "key"},
            "images": {},
            "settings": make_settings().of_release(),
            "summary": summarise({"acp-ingest": release}, {}, {}, []),
        }
        for release in ("v2-b", "v1-a")
    )

    @pytest.fixture
    def serving(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
        """Return what each host serves, to be filled; one that is not in it cannot be reached."""
        found: dict[str, str | None] = {}
        settings = make_settings(rollout={"unreachable_host": "skip"})

        def ask(_clients: object) -> dict[str, Any]:
            answers: dict[str, Any] = {
                host.name: HostUnreachableError(f"{host.name} is not reachable") for host in settings.hosts
            }
            for name, release in found.items():
                answers[name] = {"current": release, "parked": ["v1-a", "v2-b"], "retiring": None}
            return answers

        outputs = {"release": "v2-b", "release_entry": self.RECORD[0], "history": list(self.RECORD)}
        monkeypatch.setattr(rollback_module, "load", lambda _stack: settings)
        monkeypatch.setattr(rollback_module, "refuse_locked", lambda *_: None)
        monkeypatch.setattr(rollback_module, "host_clients", lambda _settings: [])
        monkeypatch.setattr(rollback_module, "ask_hosts", ask)
        monkeypatch.setattr(rollback_module, "stack_outputs", lambda _stack: outputs)
        monkeypatch.setattr(rollback_module, "read_secrets", lambda *_, **__: {"REGISTRY_PASSWORD": ""})
        monkeypatch.setattr(rollback_module, "update_stack", lambda *_, **__: True)
        return found

    def plan(self, *arguments: str) -> dict[str, Any]:
        """Return the plan of a rollback that is run."""
        done = call("rollback", "--stack", "local", "--yes", "--json", *arguments)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def test_where_hosts_serve_what_is_recorded_it_is_the_one_before(self, serving: dict[str, str | None]) -> None:
        """As the record has it."""
        serving |= {"h1": "v2-b", "h2": "v2-b"}
        plan = self.plan()
        assert (plan["from"], plan["to"], plan["why"], plan["changes"]) == (
            "v2-b", "v1-a", "the last release that served before v2-b", ["acp-ingest v2-b → v1-a"]
        )  # fmt: skip

    @pytest.mark.parametrize("arguments", [(), ("--to", "v2-b")])
    def test_from_an_update_that_is_not_recorded_it_is_the_recorded_one(
        self, serving: dict[str, str | None], arguments: tuple[str, ...]
    ) -> None:
        """Also by its name; the plan says what serves, and that nobody knows what it changed."""
        serving |= {"h1": "v3-c", "h2": "v3-c"}
        plan = self.plan(*arguments)
        assert (plan["from"], plan["to"]) == ("v3-c", "v2-b")
        assert plan["changes"] == ["v3-c is in no record: what it changed is not known"]
        assert plan["hosts"] == {"h1": "warm", "h2": "warm"}

    def test_hosts_that_differ_are_brought_to_the_recorded_one(self, serving: dict[str, str | None]) -> None:
        """Each is named with what it serves."""
        serving |= {"h1": "v3-c", "h2": "v2-b"}
        plan = self.plan()
        assert (plan["from"], plan["to"]) == ("v3-c, v2-b", "v2-b")
        assert plan["why"] == "h1 serves v3-c, by an update that is in no record: this is the recorded release"

    def test_a_host_that_is_away_does_not_hide_what_the_others_serve(self, serving: dict[str, str | None]) -> None:
        """Who answers decides; the stack wants the other one to be left alone."""
        serving["h1"] = "v3-c"
        plan = self.plan()
        assert (plan["to"], plan["hosts"]) == ("v2-b", {"h1": "warm", "h2": "skipped"})

    def test_a_rollback_that_was_cut_off_is_recorded_by_the_same_command(self, serving: dict[str, str | None]) -> None:
        """It goes neither further back nor forth again, and there is nothing to change."""
        serving |= {"h1": "v1-a", "h2": "v1-a"}
        plan = self.plan()
        assert (plan["from"], plan["to"], plan["changes"]) == ("v1-a", "v1-a", [])
        shown = call("rollback", "--stack", "local", "--yes")
        assert (shown.exit_code, "nothing: it serves already" in shown.output) == (0, True)

    def test_one_that_todays_stack_file_cannot_stand_in_for_is_refused_before_the_question(
        self, serving: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As the update would; nothing is planned, asked or updated."""
        serving |= {"h1": "v2-b", "h2": "v2-b"}
        docs = make_settings(services={"acp-docs": service()}, checks=dict.fromkeys(SERVICES, "acp-docs"))
        spec, images = make_release(docs).spec, {name: ref.pinned for name, ref in IMAGES.items()}
        entry = {"release": "v1-a", "spec": spec, "images": images}
        outputs = {"release_entry": self.RECORD[0], "history": [self.RECORD[0], entry]}
        monkeypatch.setattr(rollback_module, "stack_outputs", lambda _stack: outputs)
        monkeypatch.setattr(rollback_module, "make_plan", lambda *_, **__: pytest.fail("planned"))
        monkeypatch.setattr(rollback_module, "refuse_impossible", lambda *_: pytest.fail("the registry was asked"))
        with pytest.raises(UsageError, match="v1-a was recorded without its settings") as caught:
            CliRunner().invoke(rollback_module.rollback, ["--stack", "local"], catch_exceptions=False)
        assert "services.acp-docs: is not there" in caught.value.what
        assert "checkout" in caught.value.mend

    @pytest.mark.parametrize("works", [True, False])
    def test_json_is_one_document_when_it_asks(
        self, serving: dict[str, str | None], monkeypatch: pytest.MonkeyPatch, *, works: bool
    ) -> None:
        """What is asked about is on standard error; standard output has the result, or the error, alone."""
        serving |= {"h1": "v2-b", "h2": "v2-b"}
        monkeypatch.setattr(rollback_module, "update_stack", lambda *_, **__: works)
        done = CliRunner().invoke(main, ["rollback", "--stack", "local", "--json"], input="y\n")
        document = json.loads(done.stdout)
        assert (document.get("done"), document.get("error")) == ((True, None) if works else (None, "RolloutError"))
        assert "change  acp-ingest v2-b → v1-a" in done.stderr

    def test_a_record_without_an_earlier_release_names_its_backend(
        self, serving: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may be another backend than the stack's."""
        serving |= {"h1": None, "h2": None}
        monkeypatch.setattr(rollback_module, "stack_outputs", lambda _stack: {})
        monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://acp")
        done = call("rollback", "--stack", "local", "--yes")
        assert "has no release before the current one\n  where: the backend s3://acp\n" in done.stderr

    def test_what_serves_everywhere_is_refused(self, serving: dict[str, str | None]) -> None:
        """Recorded, and on every host that answers."""
        serving["h1"] = "v2-b"
        with pytest.raises(UsageError, match="v2-b is what stack local serves already"):
            CliRunner().invoke(
                rollback_module.rollback, ["--stack", "local", "--to", "v2-b", "--yes"], catch_exceptions=False
            )
