from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from infra.toolchain import lab_step, status, up, vendor
from infra.toolchain.doctor import doctor
from infra.toolchain.errors import SetupError
from infra.toolchain.go_tools import GO_MEND, all_tools
from infra.toolchain.lab_step import LabStep
from infra.toolchain.progress import Progress, duration
from infra.toolchain.step import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from infra.toolchain.places import Places

MISSING = {
    "system packages": State(ready=False, detail="missing: docker", mend="sudo set-up"),
    "docker engine": State(ready=False, detail="not running", mend="sudo usermod"),
}


@dataclass(slots=True)
class Fake:
    """A step that does as it is told and notes that it was asked to."""

    name: str
    problem: str = ""
    needs_root: bool = False
    applied: list[str] = field(default_factory=list)

    def state(self) -> State:
        """Tell that it is ready unless it has a problem."""
        return State(ready=not self.problem, detail="", mend=self.problem)

    def apply(self, progress: Progress) -> None:
        """Note the call, and fail if told to."""
        self.applied.append(self.name)
        if self.problem:
            raise SetupError(self.problem)


@pytest.fixture
def progress() -> Progress:
    """Return a progress that nobody sees."""
    return Progress(stream=io.StringIO())


def test_without_root_everything_missing_is_named_and_nothing_done() -> None:
    """All that root has to install is named at once, with the one command for it."""
    with pytest.raises(SetupError) as caught:
        up.refuse_what_needs_root(MISSING, may_install=False, root=False)
    assert "missing: docker" in caught.value.what
    assert "not running" in caught.value.what
    assert "nothing was changed" in caught.value.what
    assert caught.value.mend == "sudo set-up; and sudo usermod"


@pytest.mark.parametrize(
    ("missing", "may_install", "root"),
    [({}, False, False), (MISSING, True, True), ({"docker engine": MISSING["docker engine"]}, False, True)],
)
def test_what_may_be_brought_about_is_not_refused(missing: dict[str, State], *, may_install: bool, root: bool) -> None:
    """Root with apt installs anything, root without apt still starts the engine, and nothing missing is fine."""
    up.refuse_what_needs_root(missing, may_install=may_install, root=root)


def without_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take Go and the vendor's servers away."""
    monkeypatch.setattr(up, "go_problem", lambda: "Go is not installed")
    monkeypatch.setenv(vendor.SWITCH, "never")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def test_without_go_set_up_ends_before_anything_else(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools that have to be built are named with the mend, and nothing is installed or started before."""
    without_go(monkeypatch)
    monkeypatch.setattr(up.prerequisites, "system", lambda _places: pytest.fail("set-up went on"))
    with pytest.raises(SetupError, match=r"Go is not installed, and these have .*k6 .*nothing was") as caught:
        up.run(places, Progress(stream=io.StringIO()))
    assert caught.value.mend == GO_MEND


def test_tools_that_are_there_need_no_go(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that got them from another checkout's cache, or on PATH, builds nothing."""
    without_go(monkeypatch)
    for tool in all_tools(places):
        tool.built.mkdir(parents=True)
        (tool.built / "complete").touch()
    up.refuse_without_go(places)


def test_a_chain_stops_at_its_first_problem(progress: Progress) -> None:
    """Of steps that need each other, none runs behind one that failed."""
    steps = [Fake("a"), Fake("b", problem="broken"), Fake("c")]
    assert [str(problem) for problem in up.one_by_one(steps, progress)] == ["broken"]
    assert [step.applied for step in steps] == [["a"], ["b"], []]


def test_independent_steps_all_run(progress: Progress) -> None:
    """Of independent steps all run and all problems are reported."""
    steps = [Fake("a", problem="one"), Fake("b"), Fake("c", problem="two")]
    assert [str(problem) for problem in up.each(steps, progress)] == ["one", "two"]
    assert steps[1].applied == ["b"]


def test_lab_runs_behind_the_environment(
    places: Places,
    command: Callable[[Path, str], Path],
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lab step calls the checkout's own command, and its message is in the error when it fails."""
    program = command(places.bin / "acp-release", "h1 has no disk")
    monkeypatch.setattr(lab_step, "USES", ())
    step = LabStep(places=places)
    step.apply(progress)
    program.write_text(program.read_text() + "exit 70\n")
    with pytest.raises(SetupError, match=r"acp-release lab up(.|\n)*h1 has no disk"):
        step.apply(progress)


def collected(states: Sequence[tuple[str, State]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command see these states."""
    monkeypatch.setattr(status, "collect", lambda _places: list(states))


def test_doctor_lists_state_and_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has each prerequisite, and a missing one makes the exit code 70."""
    collected([("engine", State(ready=True, detail="20.10")), *MISSING.items()], monkeypatch)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(doctor)
    assert result.exit_code == 70
    assert "sudo set-up" in result.output
    assert "20.10" in result.output


def test_doctor_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """The JSON has the same rows, and exit code 0 says that all is ready."""
    collected([("engine", State(ready=True, detail="20.10"))], monkeypatch)
    result = CliRunner().invoke(doctor, ["--json"])
    assert result.exit_code == 0
    assert json.loads(result.output) == {
        "ready": True,
        "prerequisites": [{"name": "engine", "ready": True, "detail": "20.10", "mend": ""}],
    }


def test_status_text_has_the_mend_below_what_is_missing() -> None:
    """Without anything installed the same can be read as plain text."""
    text = status.as_text([("engine", State(ready=True, detail="20.10")), *MISSING.items()])
    assert [line.split()[0] for line in text.splitlines()] == ["ready", "MISSING", "mend:", "MISSING", "mend:"]


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (245, "4 min 05 s")])
def test_duration(seconds: float, said: str) -> None:
    """Durations read as people say them."""
    assert duration(seconds) == said


def test_progress_tells_begin_end_and_failure() -> None:
    """Each piece of work is announced, shown while it lasts, and its end or failure has its duration."""
    now = [0.0]
    stream = io.StringIO()
    progress = Progress(stream=stream, clock=lambda: now[0])
    with progress.work("a", "building"):
        now[0] = 65
        assert progress.status() == "a (1 min 05 s)"
    with pytest.raises(ValueError, match="broken"), progress.work("b", "building"):
        raise ValueError("broken")
    lines = [line.partition("] ")[2] for line in stream.getvalue().splitlines()]
    assert lines == ["a: building", "a: done in 1 min 05 s", "b: building", "b: failed after 0 s"]
    assert progress.status() == ""
