from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from pulumi.output import Unknown

from infra.adapters.packed_history import pack, unpack
from infra.components.dynamic import KeyedProvider, load_ahead
from infra.components.record import RecordProvider, previous_release
from infra.components.release_rollout import PreflightProvider, RolloutProvider
from infra.domain.ledger import HISTORY_LENGTH
from infra.domain.text_form import from_text, to_text
from infra.errors import ReleaseError, RolloutError
from tests.support.fresh_python import printed
from tests.support.pulumi_engine import UNKNOWN

IMPORT_SECONDS = 20.0


class Working(KeyedProvider):
    """Does some work and remembers what it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        """Fail with `error`, if any."""
        super().__init__()
        self.error = error
        self.given: list[dict[str, Any]] = []

    def perform(self, props: dict[str, Any]) -> dict[str, Any]:
        """Remember, then fail or succeed."""
        self.given.append(props)
        if self.error:
            raise self.error
        return {"report": "done"}


def props(release: str = "v1-0", run_id: str = "run-1", **more: Any) -> dict[str, Any]:
    """Return the inputs of a keyed resource."""
    return {"release": release, "run_id": run_id, "__provider": "pickled", **more}


def entry(release: str, run_id: str = "run-1", **more: Any) -> dict[str, Any]:
    """Return a record's entry."""
    return {"release": release, "run_id": run_id, "hosts": {"h1": "key-1"}, **more}


def recorded(release: str, run_id: str = "run-1", **more: Any) -> dict[str, Any]:
    """Return what a record is given of a release that the rollout in the same update was of."""
    run = {"release": release, "run_id": run_id}
    return {"entry": to_text(entry(release, run_id, **more)), "earlier": "", "rolled_out": run}


class TestKeyed:
    """Resources that run once per release and run."""

    @pytest.mark.parametrize(
        ("new", "replaces"),
        [
            (props(), []),
            (props(settings={"checks": 9}, leases={"h1": 2}), []),
            (props(release="v2-0"), ["release"]),
            (props(run_id="run-2"), ["run_id"]),
            (props(release="v2-0", run_id="run-2"), ["release", "run_id"]),
            (props(release=UNKNOWN), ["release"]),
        ],
    )
    def test_only_another_release_or_run_replaces(self, new: dict[str, Any], replaces: list[str]) -> None:
        """Nothing else makes it run again; a release that is not known yet counts as another one."""
        found = Working().diff("id", props(), new)
        assert found.replaces == replaces
        assert found.changes == bool(replaces)

    def test_a_replacement_deletes_first(self) -> None:
        """A failed run leaves nothing in the state, so that going back runs it again."""
        assert Working().diff("id", props(), props(release="v2-0")).delete_before_replace

    def test_its_id_is_release_and_run(self) -> None:
        """The outputs are the inputs and what the work returned; the pickled provider is no business of the work."""
        provider = Working()
        made = provider.create(props(settings={}))
        assert made.id == "v1-0.run-1"
        assert made.outs == {**props(settings={}), "report": "done"}
        assert provider.given == [{"release": "v1-0", "run_id": "run-1", "settings": {}}]

    def test_a_failure_is_raised_and_makes_nothing(self) -> None:
        """The error of the work is the error of the update, without the traceback of gRPC's own log."""
        with pytest.raises(RolloutError, match="reverted"):
            Working(RolloutError("reverted")).create(props())
        assert not logging.getLogger("grpc._server").isEnabledFor(logging.ERROR)

    def test_deleting_does_nothing_on_a_host(self) -> None:
        """A replaced or destroyed run takes nothing back."""
        Working().delete("v1-0.run-1", props())

    @pytest.mark.parametrize("provider", [PreflightProvider(), RolloutProvider(), RecordProvider()])
    def test_a_provider_is_no_secret_by_itself(self, provider: Any) -> None:
        """Our providers hold no secret, so a change of their code may be seen."""
        assert provider.serialize_as_secret_always is False

    def test_the_real_ones_do_their_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The preflight returns leases, the rollout its report."""
        monkeypatch.setattr("infra.rollout.preflight.run_preflight", lambda p, _show: {"leases": p["release"]})
        monkeypatch.setattr("infra.rollout.driver.run_rollout", lambda p, _show: {"seen": p["run_id"]})
        assert PreflightProvider().perform(props(cleared=props())) == {"leases": "v1-0"}
        assert from_text(RolloutProvider().perform(props(prepared=props()))["report"]) == {"seen": "run-1"}


class TestPartOfAnUpdate:
    """`pulumi up --target` and `--exclude` leave resources as they are, with the outputs of the run before."""

    @pytest.mark.parametrize(
        ("provider", "work", "behind", "words"),
        [
            (PreflightProvider(), "preflight.run_preflight", "cleared", "the gate cleared"),
            (RolloutProvider(), "driver.run_rollout", "prepared", "the preflight was of"),
        ],
        ids=["preflight", "rollout"],
    )
    @pytest.mark.parametrize(
        "before", [{"release": "v1-0", "run_id": "run-1"}, {"release": "v2-0", "run_id": "run-1"}, {}]
    )
    def test_no_host_is_asked_for_what_the_step_before_was_not_of(
        self,
        monkeypatch: pytest.MonkeyPatch,
        provider: KeyedProvider,
        work: str,
        behind: str,
        words: str,
        before: dict[str, str],
    ) -> None:
        """Neither for another release nor for another run of the same one."""
        asked: list[str] = []
        monkeypatch.setattr(f"infra.rollout.{work}", lambda p, _show: asked.append(p["release"]))
        with pytest.raises(ReleaseError, match=rf"{words} .*not v2-0 [(]run run-2[)]") as error:
            provider.perform(props("v2-0", "run-2", **{behind: before}))
        assert "--target" in error.value.mend
        assert not asked

    @pytest.mark.parametrize(
        "rolled_out", [{"release": "v1-0", "run_id": "run-1"}, {"release": "v2-0", "run_id": "run-1"}, {}]
    )
    def test_what_was_not_rolled_out_is_not_recorded(self, rolled_out: dict[str, str]) -> None:
        """The record stays the one of what serves."""
        new = {**recorded("v2-0", "run-2"), "rolled_out": rolled_out}
        old = {"history": pack([entry("v1-0")])}
        with pytest.raises(ReleaseError, match=r"the rollout was of .*not v2-0 [(]run run-2[)]"):
            RecordProvider().update("local", old, new)
        with pytest.raises(ReleaseError, match=r"the rollout was of .*not v2-0 [(]run run-2[)]"):
            RecordProvider().create({"stack": "local", **new})


class TestRecord:
    """What serves, what served before, and the history."""

    def test_a_first_release_has_no_previous(self) -> None:
        """The history begins with it."""
        made = RecordProvider().create({"stack": "local", "fingerprint_key": "k", **recorded("v1-0")})
        assert made.id == "local"
        assert made.outs is not None
        assert unpack(made.outs["history"]) == [entry("v1-0")]
        assert made.outs["previous"] == ""

    @pytest.mark.parametrize("releases", [["v3-0", "v2-0", "v1-0"], ["v2-0", "v1-0"]], ids=["new", "recorded"])
    def test_a_record_made_anew_keeps_the_history(self, monkeypatch: pytest.MonkeyPatch, releases: list[str]) -> None:
        """`pulumi up --replace` of it goes on with the outputs; a release that they have is not recorded again."""
        kept = [entry("v2-0", checks=["then"]), entry("v1-0")]
        monkeypatch.setattr("infra.adapters.pulumi_cli.stack_outputs", {"local": {"history": kept}}.get)
        new = {"stack": "local", "fingerprint_key": "k", **recorded(releases[0]), "earlier": "v2-0"}
        outs = RecordProvider().create(new).outs
        assert outs is not None
        history = unpack(outs["history"])
        assert [known["release"] for known in history] == releases
        assert history[-2:] == kept
        assert from_text(outs["entry"]) == history[0]
        assert outs["previous"] == releases[1]

    def test_a_later_release_goes_on_top(self) -> None:
        """The newest is first, and the one before is previous."""
        old = {"entry": to_text(entry("v1-0")), "history": pack([entry("v1-0")]), "previous": ""}
        outs = RecordProvider().update("local", old, {"stack": "local", **recorded("v2-0", "run-2")}).outs
        assert outs is not None
        assert [e["release"] for e in unpack(outs["history"])] == ["v2-0", "v1-0"]
        assert outs["previous"] == "v1-0"
        assert outs["entry"] == to_text(entry("v2-0", "run-2"))

    def test_a_host_that_left_is_forgotten_and_nothing_else_changes(self) -> None:
        """The entry is the one that its run made, on the hosts that still have the release; there is no second one."""
        then = entry("v2-0", "run-2", hosts={"h1": "key-1", "h2": "key-2"}, started_at="then")
        old = {"entry": to_text(then), "history": pack([then, entry("v1-0")])}
        outs = RecordProvider().update("local", old, recorded("v2-0", "run-2", started_at="now")).outs
        assert outs is not None
        left = {**then, "hosts": {"h1": "key-1"}}
        assert unpack(outs["history"]) == [left, entry("v1-0")]
        assert from_text(outs["entry"]) == left
        assert outs["previous"] == "v1-0"

    def test_the_history_has_an_end(self) -> None:
        """Old entries fall off."""
        old = {"history": pack([entry(f"v{n}-0") for n in range(HISTORY_LENGTH)])}
        outs = RecordProvider().update("local", old, recorded("new-0")).outs
        assert outs is not None
        history = unpack(outs["history"])
        assert len(history) == HISTORY_LENGTH
        assert history[0]["release"] == "new-0"

    @pytest.mark.parametrize(
        ("new", "changes"),
        [
            ({"entry": to_text(entry("v1-0", checks=["other"])), "fingerprint_key": "k"}, False),
            ({"entry": to_text(entry("v2-0")), "fingerprint_key": "k"}, True),
            ({"entry": to_text(entry("v1-0", "run-2")), "fingerprint_key": "k"}, True),
            ({"entry": to_text(entry("v1-0")), "fingerprint_key": "other"}, True),
            ({"entry": to_text(entry("v1-0", hosts={})), "fingerprint_key": "k"}, True),
            ({"entry": Unknown(), "fingerprint_key": "k"}, True),
        ],
    )
    def test_it_changes_with_release_run_hosts_or_key(self, new: dict[str, Any], changes: bool) -> None:
        """A recorded release is not recorded again; an entry that is not known yet, as in a preview, is a change."""
        # The state has the entry as one text, or as a document where an earlier version of this program recorded it.
        for old in (to_text(entry("v1-0")), entry("v1-0")):
            found = RecordProvider().diff("local", {"entry": old, "fingerprint_key": "k"}, new)
            assert found.changes is changes
            assert not found.replaces

    @pytest.mark.parametrize(
        ("releases", "previous"),
        [
            ([], ""),
            (["v1-0"], ""),
            (["v2-0", "v1-0"], "v1-0"),
            (["v2-0", "v2-0", "v1-0"], "v1-0"),
            (["v1-0", "v2-0", "v1-0"], "v2-0"),
        ],
    )
    def test_previous_is_the_last_other_release(self, releases: list[str], previous: str) -> None:
        """Released again in a row counts once; after a rollback, previous is what was left."""
        assert previous_release([entry(release) for release in releases]) == previous


@pytest.mark.parametrize(
    ("imported", "left"),
    [
        ("infra.program", ("infra.rollout.driver", "infra.rollout.preflight", "infra.checks.clearance", "httpx")),
        (
            "infra.components.gate, infra.components.release_rollout, infra.components.record",
            ("infra.settings", "infra.rollout.driver", "infra.checks.gate", "infra.components.notifications"),
        ),
    ],
)
def test_what_only_declares_and_compares_loads_none_of_the_work(imported: str, left: tuple[str, ...]) -> None:
    """Both the program and its dynamic provider are waited for in each update, also where nothing changes."""
    code = f"import sys, {imported}; print([name for name in {left!r} if name in sys.modules])"
    assert printed(code) == "[]"


def test_what_comes_next_is_loaded_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread beside the caller imports it."""
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    load_ahead("wave").join(IMPORT_SECONDS)
    assert "wave" in sys.modules
