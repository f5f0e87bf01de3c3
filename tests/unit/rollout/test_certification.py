from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from infra.checks.probe_files import State
from infra.errors import CheckError, ToolError
from infra.rollout import certification
from infra.rollout.certification import Certification
from tests.support.fake_hostctl import SECRETS, make_stage
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

LOSS = {"at": "2026-01-01T00:00:00.000Z", "route": "/ on h1", "reason": "status 503", "milliseconds": 4.5}


class Started:
    """Stands for the process that was started: this one, which certainly runs."""

    pid = os.getpid()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the probe's files in a folder of the test."""
    monkeypatch.setattr(certification, "PROBE_FOLDER", tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Replace the start of processes; return what would have been started."""
    found: list[tuple[str, ...]] = []

    def start_module(*argv: str) -> Started:
        found.append(argv)
        return Started()

    monkeypatch.setattr(certification, "start_module", start_module)
    return found


def of(**changes: Any) -> Certification:
    """Return the certification of a run with these rules."""
    settings = make_settings(certificate=changes, secrets={"prefix": "LOCAL_", "names": list(SECRETS)})
    return Certification(context=make_stage(settings).context)


def say(found: Certification, **changes: Any) -> None:
    """Let the probe's state be this."""
    values = {"pid": os.getpid(), "created": psutil.Process().create_time(), "at": time.time(), "running": True}
    found.files.folder.mkdir(parents=True, exist_ok=True)
    found.files.write_state(State(**{**values, **changes}))


def test_the_probe_is_told_the_routes_and_its_engine_but_no_secret(started: list[tuple[str, ...]]) -> None:
    """Plan and command line have what it needs; no secret value is in the files or the argv."""
    found = of(rate=33)
    found.start()
    plan = found.files.read_plan()
    assert (len(plan.requests), plan.rate) == (8, 33)
    assert psutil.pid_exists(plan.engine_pid)
    texts = [path.read_text(encoding="utf-8") for path in found.files.folder.iterdir()]
    assert "s3cr3t" not in f"{texts} {started}"
    assert started == [("infra.checks.probe", str(found.files.folder))]


def test_a_probe_that_dies_at_its_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The preflight does not wait for a process that is gone."""
    found = of()
    found.start()
    monkeypatch.setattr(certification, "find_process", lambda *_: None)
    with pytest.raises(ToolError, match="did not start"):
        found.wait_running()


def test_the_driver_goes_on_with_the_probe_of_the_preflight(started: list[tuple[str, ...]]) -> None:
    """A running probe is not started again."""
    found = of()
    say(found)
    found.ensure()
    assert started == []


def test_a_driver_without_a_preflight_starts_its_own(started: list[tuple[str, ...]], monkeypatch: Any) -> None:
    """A job that was tried again has the preflight of its first try: the probe begins with the driver."""
    found = of()
    monkeypatch.setattr(Certification, "wait_running", lambda _self: None)
    found.ensure()
    assert len(started) == 1


def test_a_loss_stops_a_strict_stack_only() -> None:
    """The error has number, route, reason and time; a stack that allows losses goes on."""
    strict = of(fail_on_loss=True)
    say(strict, answered=97, failed=3, losses=[LOSS])
    with pytest.raises(CheckError, match="3 of 100 requests of the certificate's probe were lost") as caught:
        strict.require_lossless()
    assert "2026-01-01T00:00:00.000Z / on h1: status 503 after 4.5 ms" in caught.value.what
    of().require_lossless()


def test_no_loss_goes_on() -> None:
    """A running probe that lost nothing is fine."""
    found = of(fail_on_loss=True)
    say(found, answered=97)
    found.require_lossless()


@pytest.mark.parametrize("changes", [{"at": 1.0}, {"pid": 2**22 + 1}, None], ids=["silent", "gone", "never there"])
def test_nobody_can_say_is_no_pass(changes: dict[str, Any] | None) -> None:
    """A probe that is silent or gone proves nothing on a strict stack."""
    found = of(fail_on_loss=True)
    if changes is not None:
        say(found, **changes)
    with pytest.raises(CheckError, match="nobody can say"):
        found.require_lossless()


def test_what_a_killed_probe_left_is_removed_by_the_next(folder: Path) -> None:
    """Files of a process that is gone go, those of a running one stay."""
    dead, alive, found = of(), of(), of()
    for name, files, pid in (("dead", dead.files, 2**22 + 1), ("alive", alive.files, os.getpid())):
        path = files.folder.with_name(name)
        path.mkdir(parents=True)
        type(files)(folder=path).write_state(State(pid=pid, created=psutil.Process().create_time(), at=0))
    found.start()
    assert sorted(path.name for path in found.files.folder.parent.iterdir()) == ["alive", "run-1"]


def test_a_run_id_cannot_lead_out_of_the_folder(folder: Path) -> None:
    """What the environment calls the run becomes one plain name."""
    stage = make_stage()
    context = type(stage.context)(
        settings=stage.context.settings, spec=stage.context.spec, run_id="../../etc/x", group=stage.context.group,
        secrets=stage.context.secrets,
    )  # fmt: skip
    assert Certification(context=context).files.folder.parent == folder / "local"
