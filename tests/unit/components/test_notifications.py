from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.components import notifications
from infra.components.gate import JudgingProvider
from infra.components.notifications import lost_requests
from infra.components.release_rollout import PreflightProvider, RolloutProvider
from infra.domain.text_form import from_text, to_text
from infra.errors import GateError, LeaseHeldError, RolloutError
from infra.notify import announce
from infra.notify.outbox import Outbox
from tests.support.notices import channel, notifying

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.domain.notices.notice import Notice

GOOD = {"previous": "v1-0", "checks": [], "timeline": {}, "warnings": []}


class Told:
    """What was put into the outbox, and which senders were started."""

    def __init__(self, folder: Path) -> None:
        """Begin with nothing."""
        self.outbox = Outbox(folder)
        self.senders: list[tuple[str, ...]] = []

    def notices(self) -> list[Notice]:
        """Return the notices of the one channel, in order."""
        return [letter.notice for letter in self.outbox.letters("slack", "pending")]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Keep letters in a folder of the test's own, and start no process."""
    told = Told(tmp_path / "outbox")
    for module in (announce, notifications):
        monkeypatch.setattr(module.Outbox, "of", lambda _stack: told.outbox)
    monkeypatch.setattr(notifications, "start_sender", lambda *arguments: told.senders.append(arguments))
    return told


def props(*channels: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the inputs of the rollout's resources, for a stack that tells Slack."""
    settings = notifying(*(channels or (channel("slack"),))).model_dump(mode="json")
    settings |= changes.pop("settings", {})
    run = {"release": "v2-1a2b3c4d", "run_id": changes.pop("run_id", "run-2")}
    return {**run, "cleared": run, "prepared": run, "commit": "c" * 40, "settings": to_text(settings), **changes}


def use(monkeypatch: pytest.MonkeyPatch, name: str, outcome: Exception | Mapping[str, Any]) -> None:
    """Let a step of the rollout end so."""

    def step(_props: Any, _show: Any) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    module = "infra.rollout.preflight" if name == "run_preflight" else "infra.rollout.driver"
    monkeypatch.setattr(f"{module}.{name}", step)


def test_a_preflight_says_that_a_release_begins(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender is told which engine, run and release it stands beside; no secret is among its arguments."""
    use(monkeypatch, "run_preflight", {"leases": {}})
    PreflightProvider().create(props())
    (notice,) = told.notices()
    assert (notice.event, notice.release, notice.version, notice.run_id) == ("started", "v2-1a2b3c4d", "v2", "run-2")
    ((stack, *arguments),) = told.senders
    assert stack == "local"
    assert dict(zip(arguments[::2], arguments[1::2], strict=True)).keys() == {
        "--engine", "--since", "--run", "--release", "--commit",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "stands_by"), [("started", True), ("failed", True), ("reverted", True), ("succeeded", False)]
)
def test_somebody_stands_by_for_what_a_killed_update_leaves(
    told: Told, monkeypatch: pytest.MonkeyPatch, wanted: str, stands_by: bool
) -> None:
    """A run that is killed cannot say how it ended: whoever wants to know of that gets it from the sender beside it."""
    use(monkeypatch, "run_preflight", {"leases": {}})
    PreflightProvider().create(props(channel("slack", events=[wanted])))
    assert bool(told.senders) is stands_by


def test_a_refused_preflight_is_a_failure_with_its_reason(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why nothing was begun is told, and the error is the same."""
    use(monkeypatch, "run_preflight", LeaseHeldError("h2: ci-7 is releasing since 10:00"))
    with pytest.raises(LeaseHeldError):
        PreflightProvider().create(props())
    assert [(n.event, n.reason) for n in told.notices()] == [
        ("started", ""),
        ("failed", "h2: ci-7 is releasing since 10:00"),
    ]


@pytest.mark.parametrize(("rollback_to", "event"), [(None, "succeeded"), ("v2-1a2b3c4d", "rolled-back")])
def test_a_good_rollout_is_a_success_or_a_rollback(
    told: Told, monkeypatch: pytest.MonkeyPatch, rollback_to: str | None, event: str
) -> None:
    """What served before, the duration and the figures are told; a deliberate return has its own event."""
    use(monkeypatch, "run_rollout", {**GOOD, "certificate": {"sent": 900, "failed": 2.0}})
    made = RolloutProvider().create(props(settings={"rollback_to": rollback_to}))
    assert from_text(made.outs["report"])["previous"] == "v1-0"
    (notice,) = told.notices()
    assert (notice.event, notice.replaced, notice.lost_requests) == (event, "v1-0", 2)
    assert notice.duration_seconds is not None


@pytest.mark.parametrize(
    ("error", "event", "reason"),
    [
        (RolloutError("long story", reason="checks failed", restored="v1-0"), "reverted", "checks failed"),
        (RolloutError("long story", reason="checks failed"), "failed", "checks failed"),
        (RolloutError("it broke"), "failed", "it broke"),
    ],
)
def test_a_revert_is_one_only_when_a_release_serves_again(
    told: Told, monkeypatch: pytest.MonkeyPatch, error: RolloutError, event: str, reason: str
) -> None:
    """Where nobody knows what serves, it is a failure; the top reason is the cause, not the whole story."""
    use(monkeypatch, "run_rollout", error)
    with pytest.raises(RolloutError):
        RolloutProvider().create(props())
    (notice,) = told.notices()
    assert (notice.event, notice.reason, notice.replaced) == (event, reason, error.restored)


def test_a_blocked_gate_is_a_failure(told: Told) -> None:
    """The gate knows no run yet: the engine stands for it, and two findings of one run are one notice."""

    class Blocking(JudgingProvider):
        def judge(self, props: dict[str, Any]) -> dict[str, Any]:
            raise GateError("CVE-2026-1 is CRITICAL")

    for _ in range(2):
        with pytest.raises(GateError):
            Blocking().create({"name": "gate-acp-ingest", "settings": props()["settings"]})
    (notice,) = told.notices()
    assert (notice.event, notice.reason, notice.release) == ("failed", "CVE-2026-1 is CRITICAL", "")


def test_a_second_sender_is_started_only_where_none_stands_by(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the sender beside the run lives, it sends the outcome too."""
    use(monkeypatch, "run_rollout", GOOD)
    with told.outbox.locked("run-run-2"):
        RolloutProvider().create(props())
    assert told.senders == []
    RolloutProvider().create(props(run_id="run-3"))
    assert told.senders == [("local",)]


def test_nobody_to_tell_is_nothing_to_do(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without channels there are neither files nor processes."""
    use(monkeypatch, "run_preflight", {"leases": {}})
    use(monkeypatch, "run_rollout", GOOD)
    settings = notifying().model_dump(mode="json")
    PreflightProvider().create({**props(), "settings": settings})
    RolloutProvider().create({**props(), "settings": settings})
    assert not told.outbox.folder.exists()
    assert told.senders == []


def test_telling_never_fails_a_release(
    told: Told, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk becomes a warning without details, and the release goes on."""

    def full(*_arguments: Any, **_keywords: Any) -> None:
        raise OSError(28, "No space left on /planted-secret")

    use(monkeypatch, "run_preflight", {"leases": {}})
    use(monkeypatch, "run_rollout", GOOD)
    monkeypatch.setattr(notifications, "put_notice", full)
    PreflightProvider().create(props())
    assert from_text(RolloutProvider().create(props()).outs["report"]) == GOOD
    assert capsys.readouterr().out == "warning: the notice of this step was not made (OSError)\n" * 2


@pytest.mark.parametrize(
    ("report", "lost"),
    [
        ({}, None),
        ({"certificate": None}, None),
        ({"certificate": {"sent": 9}}, None),
        ({"certificate": {"failed": 0}}, 0),
    ],
)
def test_lost_requests_are_said_where_they_were_counted(report: dict[str, Any], lost: int | None) -> None:
    """No prober beside the rollout means that nothing is known, not that nothing was lost."""
    assert lost_requests(report) == lost
