from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.toolchain import activate, venv
from infra.toolchain.progress import Progress
from infra.toolchain.venv import VirtualEnvironment

if TYPE_CHECKING:
    from infra.toolchain.places import Places

SHOW = 'echo "${PULUMI_CONFIG_PASSPHRASE_FILE-none}"'


@pytest.fixture
def environment(places: Places) -> VirtualEnvironment:
    """Return the step for a checkout with locks, whose environment has a Python and an activation script."""
    (places.checkout / "requirements").mkdir()
    (places.checkout / "requirements" / "dev.txt").write_text("x==1\n")
    (places.checkout / "pyproject.toml").write_text("[project]\n")
    places.python.touch()
    (places.bin / "activate").write_text("# activation\n")
    return VirtualEnvironment(places=places)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the list in which every command ends up instead of being run."""
    argvs: list[list[str]] = []
    monkeypatch.setattr(venv, "do", lambda argv, **_: argvs.append(list(argv)))
    monkeypatch.setattr(venv, "ask", lambda _argv: "pip 26")
    return argvs


def apply(step: VirtualEnvironment) -> None:
    """Bring the environment about, silently."""
    with Path("/dev/null").open("w") as sink:
        step.apply(Progress(stream=sink))


def test_second_run_installs_nothing(environment: VirtualEnvironment, done: list[list[str]]) -> None:
    """What is installed completely is not installed again."""
    apply(environment)
    first = len(done)
    assert first == 2
    assert environment.state().ready
    apply(environment)
    assert len(done) == first


def test_new_lock_installs_the_requirements_only(environment: VirtualEnvironment, done: list[list[str]]) -> None:
    """After a change of the lock the environment is kept and brought up to date."""
    apply(environment)
    done.clear()
    environment.lock.write_text("x==2\n")
    assert environment.state().detail == "to be renewed: requirements"
    apply(environment)
    assert [argv[2:4] for argv in done] == [["pip", "install"], ["pip", "install"]]


def test_interrupted_installation_starts_over(environment: VirtualEnvironment, done: list[list[str]]) -> None:
    """An environment in which an installation was cut off is made anew: its half-written packages would stay."""
    apply(environment)
    environment.unfinished.touch()
    done.clear()
    assert not environment.state().ready
    apply(environment)
    assert done[0][1:4] == ["-m", "venv", "--clear"]
    assert environment.state().ready


def test_moved_checkout_starts_over(environment: VirtualEnvironment, done: list[list[str]]) -> None:
    """The scripts of an environment name its folder, so one copied from elsewhere is made anew."""
    apply(environment)
    environment.note.write_text(environment.note.read_text().replace(str(environment.places.checkout), "/elsewhere"))
    done.clear()
    apply(environment)
    assert done[0][1:4] == ["-m", "venv", "--clear"]


def test_requirements_are_hashed_wheels() -> None:
    """Nothing without a hash gets in, and no package's own code runs while it is installed."""
    argv = venv.requirements_argv(Path("/v/python"), Path("dev.txt"))
    assert argv[1:4] == ["-m", "pip", "install"]
    assert argv[argv.index("--only-binary") + 1] == ":all:"
    assert "--require-hashes" in argv


def activated(*scripts: Path, before: str = "") -> list[str]:
    """Return what the passphrase file is after sourcing each of `scripts` in one shell."""
    lines = [before, *(f". '{script}'; {SHOW}" for script in scripts)]
    shell = ["sh", "-euc", "\n".join(lines)]
    return subprocess.run(shell, env={}, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]


def hooked(folder: Path) -> Path:
    """Write an activation script with the hook of the checkout `folder`."""
    folder.mkdir()
    script = folder / "activate"
    script.write_text(activate.hooked("# activation\n", activate.hook(folder)))
    return script


def test_activation_names_the_checkouts_passphrase(tmp_path: Path) -> None:
    """Activation points Pulumi at the lab's passphrase, also where the path has blanks and quotes."""
    folder = tmp_path / "it's a checkout"
    folder.mkdir()
    script = tmp_path / "activate"
    script.write_text(activate.hook(folder))
    assert activated(script) == [f"{folder}/.lab/passphrase"]


@pytest.mark.parametrize(
    ("setting", "seen"),
    [("export PULUMI_CONFIG_PASSPHRASE=", "none"), ("export PULUMI_CONFIG_PASSPHRASE_FILE=/mine", "/mine")],
)
def test_activation_overrides_nothing(tmp_path: Path, setting: str, seen: str) -> None:
    """A passphrase that the user has set, an empty one too, stays the user's."""
    assert activated(hooked(tmp_path / "a"), before=setting) == [seen]


def test_switching_checkouts_switches_the_passphrase(tmp_path: Path) -> None:
    """After activating a second checkout in the same shell, the first one's passphrase is gone."""
    one, two = hooked(tmp_path / "a"), hooked(tmp_path / "b")
    assert activated(one, two, two) == [f"{folder.parent}/.lab/passphrase" for folder in (one, two, two)]


def test_hook_is_written_once_and_renewed(tmp_path: Path) -> None:
    """A second run changes nothing, a new hook replaces the old one, and the lines around it stay."""
    script = activate.hooked("before\n", activate.hook(tmp_path)) + "after\n"
    assert activate.hooked(script, activate.hook(tmp_path)) == script
    renewed = activate.hooked(script, activate.hook(tmp_path / "b"))
    assert renewed.count(activate.BEGIN) == 1
    assert renewed.startswith("before\n")
    assert renewed.endswith("after\n")
    assert str(tmp_path / "b") in renewed
