from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from infra import errors
from infra.cli import show as show_module
from infra.cli.main import main
from infra.cli.options import ErrorGroup
from infra.errors import HostUnreachableError, ReleaseError, SettingsError
from tests.support.commands import subcommands
from tests.support.fresh_python import printed

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES = [
    {"release": "v2-0", "version": "v2", "strategy": "canary", "run_id": "run-2", "checks": [1, 2], "kind": "release"},
    {"release": "v1-0", "version": "v1", "strategy": "blue-green", "run_id": "run-1", "checks": [], "kind": "release"},
]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below `group` with its path."""
    for name, command in subcommands(group).items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands(main))


def run(*arguments: str, code: int = 0) -> str:
    """Run `acp-release` and return its standard output."""
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.stdout


class TestHelp:
    """What every command says of itself."""

    @pytest.mark.parametrize("path", ALL, ids=" ".join)
    def test_every_command_has_an_example_of_itself(self, path: tuple[str, ...]) -> None:
        """`--help` ends with an example that begins with the command's own path."""
        text = run(*path, "--help")
        assert f"Example: acp-release {' '.join(path)}" in " ".join(text.split())

    @pytest.mark.parametrize("path", ALL, ids=" ".join)
    def test_every_example_can_be_typed(self, path: tuple[str, ...]) -> None:
        """The example's options and arguments are ones that the command takes."""
        command = ALL[path]
        example = str(command.epilog).split("Example: acp-release ", 1)[1].split()[len(path) :]
        command.make_context(path[-1], example, resilient_parsing=False)

    @pytest.mark.parametrize("path", ALL, ids=" ".join)
    def test_every_option_is_explained(self, path: tuple[str, ...]) -> None:
        """No option is without a help text."""
        options = [parameter for parameter in ALL[path].params if isinstance(parameter, click.Option)]
        assert [option.name for option in options if not option.help] == []

    def test_the_group_lists_commands_and_exit_codes(self) -> None:
        """`acp-release --help` and `-h` name every command and the exit codes."""
        text = run("--help")
        assert text == run("-h")
        for name in subcommands(main):
            assert f"  {name}" in text
        listed = {int(code) for code in re.findall(r"\b\d+\b", " ".join(text.split()).split("Exit codes: ")[1])}
        codes = {kind.exit_code for kind in subclasses(ReleaseError)}
        assert {0, 3} <= listed
        assert {code for code in codes if not any(low <= code <= high for low, high in ((20, 24), (30, 31)))} <= listed

    def test_the_operators_commands_are_there(self) -> None:
        """The names that scripts and people rely on."""
        assert {"check", "doctor", "history", "lab", "rollback", "show", "status"} <= set(subcommands(main))

    def test_only_the_command_that_is_asked_for_is_imported(self) -> None:
        """Nobody who looks at a status waits for what notices and builds need."""
        code = "import sys; from infra.cli.main import main; main(['status', '--help'], standalone_mode=False)"
        shown = printed(f"{code}; print([name for name in sys.modules if name.startswith('infra.cli.')])")
        assert "infra.cli.status" in shown
        assert "infra.cli.notifications" not in shown

    def test_a_version_is_shown(self) -> None:
        """`--version` names the program."""
        assert "version" in run("--version")


class TestErrors:
    """How a failure leaves the program."""

    @pytest.fixture(autouse=True)
    def _unreachable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let every command fail."""

        def fail(_stack: str) -> None:
            raise HostUnreachableError("h1 is not reachable", where="host h1", mend="is it up?")

        monkeypatch.setattr(show_module, "stack_outputs", fail)

    def test_an_error_is_a_message_and_its_code(self) -> None:
        """What, where and mend go to standard error, nothing to standard output."""
        result = CliRunner().invoke(main, ["show", "--stack", "local"])
        assert result.exit_code == 21
        assert result.stdout == ""
        assert result.stderr == "error: h1 is not reachable\n  where: host h1\n  mend:  is it up?\n"

    def test_with_json_the_error_is_json(self) -> None:
        """The same parts as a document on standard output, with the same exit code."""
        result = CliRunner().invoke(main, ["show", "--stack", "local", "--json"])
        assert result.exit_code == 21
        assert json.loads(result.stdout) == {
            "error": "HostUnreachableError",
            "exit_code": 21,
            "what": "h1 is not reachable",
            "where": "host h1",
            "mend": "is it up?",
        }

    @pytest.mark.parametrize("arguments", [["--json"], []])
    def test_a_file_that_cannot_be_written_is_an_error(self, tmp_path: Path, arguments: list[str]) -> None:
        """With its path and the reason, also as JSON."""

        @click.command()
        @click.option("--json", is_flag=True)
        def write(json: bool) -> None:
            (tmp_path / "missing" / "x.csv").write_text("", encoding="utf-8")

        result = CliRunner().invoke(ErrorGroup(commands={"write": write}), ["write", *arguments])
        assert result.exit_code == 70
        if arguments:
            error = json.loads(result.stdout)
            assert (error["what"], error["where"]) == (
                "the system refuses: No such file or directory", str(tmp_path / "missing" / "x.csv")
            )  # fmt: skip
        else:
            assert f"No such file or directory\n  where: {tmp_path}/missing/x.csv" in result.stderr

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no full disk to write to")
    @pytest.mark.parametrize("arguments", [["--json"], []])
    def test_a_full_disk_is_an_error(self, arguments: list[str]) -> None:
        """Standard output takes nothing: standard error says so, once, and the exit code is the error's."""
        code = (
            "import click, sys; from infra.cli.options import ErrorGroup, json_option\n"
            "say = json_option(click.Command('say', callback=lambda as_json: click.echo('x')))\n"
            "ErrorGroup(commands={'say': say})(sys.argv[1:])"
        )
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            argv = [sys.executable, "-c", code, "say", *arguments]
            done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 70
        assert done.stderr.count("No space left on device") == 1
        assert "Traceback" not in done.stderr

    def test_a_reader_that_left_is_no_error(self) -> None:
        """`acp-release history | head` ends without a word."""

        @click.command()
        def write() -> None:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

        result = CliRunner().invoke(ErrorGroup(commands={"write": write}), ["write"])
        assert (result.exit_code, result.stderr) == (1, "")

    @pytest.mark.parametrize(
        "arguments", [["nothing"], ["history"], ["history", "--nothing"], ["show", "--stack", "local", "a", "b"]]
    )
    def test_a_wrong_command_line_is_usage(self, arguments: list[str]) -> None:
        """What cannot be meant ends with 2 and the usage."""
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert "Usage: " in result.output

    def test_an_unknown_stack_names_the_known_ones(self) -> None:
        """A stack without a file is an error of the settings."""
        result = CliRunner().invoke(main, ["check", "--stack", "nothing"])
        assert result.exit_code == 10
        assert "there is no stack 'nothing'" in result.stderr
        assert "local" in result.stderr

    def test_every_error_class_has_a_code_of_its_own(self) -> None:
        """No two classes share an exit code, and the module's table lists each with it."""
        classes = [ReleaseError, *subclasses(ReleaseError)]
        codes = {kind.__name__: kind.exit_code for kind in classes if kind.__module__ == errors.__name__}
        assert len(set(codes.values())) == len(codes)
        assert errors.__doc__ is not None
        for name, code in codes.items():
            assert [line for line in errors.__doc__.splitlines() if f"{name} " in line and f" {code} " in line], name

    def test_all_problems_of_an_error_are_shown(self) -> None:
        """An error with several problems lists them."""

        @click.command()
        def many() -> None:
            raise SettingsError("the file", ["a: is wrong", "b: is missing"])

        group = ErrorGroup(commands={"many": many})
        result = CliRunner().invoke(group, ["many"])
        assert result.stderr == "error: 2 problems in the file:\n  - a: is wrong\n  - b: is missing\n"


def subclasses(kind: type[ReleaseError]) -> list[type[ReleaseError]]:
    """Return every class below `kind`."""
    return [found for below in kind.__subclasses__() for found in (below, *subclasses(below))]


class TestRecord:
    """`show` reads the stack's record."""

    @pytest.fixture(autouse=True)
    def _recorded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give the stack two releases."""
        outputs = {"release": "v2-0", "history": ENTRIES}
        monkeypatch.setattr(show_module, "stack_outputs", lambda _stack: outputs)

    def test_the_current_release_is_shown_by_default(self) -> None:
        """Without a release `show` shows what serves."""
        assert json.loads(run("show", "--stack", "local", "--json"))["release"] == "v2-0"
        assert "v2-0" in run("show", "--stack", "local")

    def test_an_earlier_release_is_shown_by_its_id(self) -> None:
        """Any recorded release can be shown."""
        assert json.loads(run("show", "v1-0", "--stack", "local", "--json"))["version"] == "v1"

    def test_an_unknown_release_names_the_known_ones(self) -> None:
        """The mend lists the record."""
        result = CliRunner().invoke(main, ["show", "v9-0", "--stack", "local"])
        assert result.exit_code == 2
        assert "stack local has no release v9-0" in result.stderr
        assert "v1-0" in result.stderr
        assert "v2-0" in result.stderr

    def test_a_stack_without_releases_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before the first release there is nothing to show."""
        monkeypatch.setattr(show_module, "stack_outputs", lambda _stack: {})
        monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://acp")
        said = CliRunner().invoke(main, ["show", "--stack", "local"]).stderr
        assert "stack local has no release yet\n  where: the backend s3://acp\n" in said
