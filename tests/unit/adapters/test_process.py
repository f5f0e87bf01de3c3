from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.adapters.process import REDACTED, redact, run, stream
from infra.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-correct-horse"
PYTHON = [sys.executable, "-IS", "-c"]


def script(text: str) -> list[str]:
    """Return the command line of a small program."""
    return [*PYTHON, text]


class TestRedact:
    """Secrets in text."""

    @pytest.mark.parametrize(
        ("text", "secrets", "shown"),
        [
            ("password=abc", ["abc"], f"password={REDACTED}"),
            ("abcdef abc", ["abc", "abcdef"], f"{REDACTED} {REDACTED}"),
            ("nothing here", ["abc"], "nothing here"),
            ("empty secrets count not", ["", "abc"], "empty secrets count not"),
            ("abc abc", iter(["abc"]), f"{REDACTED} {REDACTED}"),
        ],
    )
    def test_every_secret_is_replaced(self, text: str, secrets: list[str], shown: str) -> None:
        """Every occurrence goes, the longest secret first, so that no rest of it stays."""
        assert redact(text, secrets) == shown

    @pytest.mark.parametrize(
        ("secret", "text", "shown"),
        [
            (
                "postgres://u:pa55word@db/acp",
                "postgresql+asyncpg://u:pa55word@db",
                f"postgresql+asyncpg://u:{REDACTED}@db",
            ),
            ("redis://:p%40ss%2Fw@redis:6379/0", "password p@ss/w", f"password {REDACTED}"),
            ("redis://:p#ss/w@redis:6379/0", "amqp://me:p%23ss%2Fw@mq", f"amqp://me:{REDACTED}@mq"),
            ("postgres://acp:pw@db/acp", "pw of mysql://acp:pw@db", f"pw of mysql://acp{REDACTED}db"),
            ("http://llm:8000/v1", "llm:8000 is not the address", "llm:8000 is not the address"),
        ],
    )
    def test_a_password_in_an_address_is_replaced_wherever_it_stands(self, secret: str, text: str, shown: str) -> None:
        """An app quotes it under another scheme, alone or decoded; a short one goes in addresses only."""
        assert redact(text, [secret]) == shown

    @pytest.mark.parametrize(
        ("secret", "text", "shown"),
        [
            ("first-line\nsecond-line\n", "it says second-line twice", f"it says {REDACTED} twice"),
            ("first-line\r\nsecond-line", "first-line and second-line", f"{REDACTED} and {REDACTED}"),
            ("first-line\nfive5", "five5 is a word", "five5 is a word"),
            ("first-line\nsecond", r'{"key": "first-line\nsecond"}', f'{{"key": "{REDACTED}"}}'),
            ('pa"ss\\word', r'{"password": "pa\"ss\\word"}', f'{{"password": "{REDACTED}"}}'),
            ('one\nthe "line" two', r'["the \"line\" two"]', f'["{REDACTED}"]'),
        ],
    )
    def test_a_secret_of_lines_or_with_quotes_is_replaced_in_its_other_forms(
        self, secret: str, text: str, shown: str
    ) -> None:
        """A program quotes one line of a key, or all of it in JSON; a short line is an ordinary word."""
        assert redact(text, [secret]) == shown

    @given(
        st.text(max_size=40),
        st.lists(st.text(alphabet="0123456789!?", min_size=1, max_size=6), max_size=5),
        st.text(max_size=40),
    )
    def test_no_secret_is_left(self, before: str, secrets: list[str], after: str) -> None:
        """Wherever secrets stand in a text, none of them is in what is shown."""
        shown = redact(before + "".join(secrets) + after, secrets)
        assert not [secret for secret in secrets if secret in shown]


class TestRun:
    """Programs that are waited for."""

    def test_arguments_reach_the_program_as_they_are(self) -> None:
        """No shell interprets an argument."""
        odd = ["$HOME", "; rm -rf /", "a b", "*", "'\"", ""]
        done = run([*script("import sys; print(sys.argv[1:])"), *odd], timeout_seconds=10)
        assert done.stdout.strip() == repr(odd)
        assert done.exit_status == 0

    def test_standard_input_is_given_or_empty(self) -> None:
        """A program never waits for the terminal: without input it reads nothing."""
        echo = script("import sys; print(repr(sys.stdin.read()))")
        assert run(echo, timeout_seconds=10, stdin="hello").stdout == "'hello'\n"
        assert run(echo, timeout_seconds=10).stdout == "''\n"

    def test_environment_and_folder_are_the_given_ones(self, tmp_path: Path) -> None:
        """With `env` the program sees these variables only, and runs in `cwd`."""
        show = script("import os; print(os.environ.get('ACP_X'), os.environ.get('HOME'), os.getcwd())")
        done = run(show, timeout_seconds=10, env={"ACP_X": "1"}, cwd=tmp_path)
        assert done.stdout.split() == ["1", "None", str(tmp_path)]

    def test_output_of_a_good_program_is_redacted(self) -> None:
        """What is captured has no secret, even when all went well."""
        text = f"import sys; print('out {SECRET}'); sys.stderr.write('err {SECRET}')"
        done = run(script(text), timeout_seconds=10, redact_values=[SECRET])
        assert (done.stdout, done.stderr) == (f"out {REDACTED}\n", f"err {REDACTED}")

    @pytest.mark.parametrize("stream_name", ["stdout", "stderr"])
    def test_a_failure_has_status_and_output_without_secrets(self, stream_name: str) -> None:
        """The error says status and last output; neither it nor the command line in it shows a secret."""
        text = f"import sys; sys.{stream_name}.write('login with {SECRET} refused'); sys.exit(7)"
        with pytest.raises(ToolError) as caught:
            run([*script(text), SECRET], timeout_seconds=10, redact_values=[SECRET])
        assert f"exited with status 7: login with {REDACTED} refused" in str(caught.value)
        assert SECRET not in f"{caught.value} {caught.value.where} {caught.value.what}"
        assert caught.value.exit_code == 70

    def test_no_traceback_carries_a_secret(self) -> None:
        """The error keeps no chain to one that holds the unredacted output."""
        with pytest.raises(ToolError) as caught:
            run(script(f"import time; print('{SECRET}', flush=True); time.sleep(30)"), timeout_seconds=0.3,
                redact_values=[SECRET])  # fmt: skip
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_a_late_program_is_ended(self) -> None:
        """A program that passes its time is an error that says so, with its redacted command line."""
        with pytest.raises(ToolError) as caught:
            run([*script("import time; time.sleep(30)"), SECRET], timeout_seconds=0.2, redact_values=[SECRET])
        assert "did not finish in 0.2 s" in caught.value.what
        assert caught.value.where.endswith(REDACTED)

    @pytest.mark.parametrize("call", [run, stream])
    def test_a_missing_program_is_named_with_its_mend(self, call: object) -> None:
        """A program that is not there is said to be missing, with the command that tells what to install."""
        keywords = {"timeout_seconds": 1.0} if call is run else {"timeout_seconds": 1.0, "stdin": "", "on_line": print}
        with pytest.raises(ToolError) as caught:
            call(["acp-no-such-program"], **keywords)  # type: ignore[operator]
        assert caught.value.what == "acp-no-such-program is not installed"
        assert caught.value.mend == "run `acp-release doctor`"

    @pytest.mark.parametrize("call", [run, stream])
    def test_a_file_that_is_no_program_is_named(self, call: object, tmp_path: Path) -> None:
        """A file that may not be executed is an error in words, not a traceback."""
        path = tmp_path / "text"
        path.write_text("just text", encoding="utf-8")
        keywords = {"timeout_seconds": 1.0} if call is run else {"timeout_seconds": 1.0, "stdin": "", "on_line": print}
        with pytest.raises(ToolError, match="cannot be started"):
            call([str(path)], **keywords)  # type: ignore[operator]

    def test_a_failure_may_be_an_answer(self) -> None:
        """With `check=False` the status is returned."""
        assert run(script("raise SystemExit(3)"), timeout_seconds=10, check=False).exit_status == 3

    def test_output_that_is_no_text_does_not_break(self) -> None:
        """Bytes that are no UTF-8 are shown as far as they are text."""
        done = run(script("import sys; sys.stdout.buffer.write(b'ok \\xff')"), timeout_seconds=10)
        assert done.stdout == "ok \ufffd"

    def test_a_long_failure_is_cut_to_its_end(self) -> None:
        """Of a flood of output the error keeps the end, where the reason is."""
        with pytest.raises(ToolError) as caught:
            run(script("print('x' * 100_000 + 'the reason'); raise SystemExit(1)"), timeout_seconds=10)
        assert caught.value.what.endswith("the reason")
        assert len(caught.value.what) < 2200


class TestStream:
    """Programs whose lines are taken as they come."""

    def test_each_line_comes_without_its_end(self) -> None:
        """Lines are given in order, and status and standard error at the end."""
        lines: list[str] = []
        text = (
            "import sys; print('a'); print('b', flush=True); sys.stderr.write('odd')\n"
            "print(sys.stdin.read()); sys.exit(4)"
        )
        status, errors = stream(script(text), stdin="in", timeout_seconds=10, on_line=lines.append)
        assert (lines, status, errors) == (["a", "b", "in"], 4, "odd")

    def test_lines_come_while_the_program_runs(self) -> None:
        """A line is there before the program ends: this one ends only when its line was answered."""
        lines: list[str] = []

        def on_line(line: str) -> None:
            lines.append(line)
            if line.startswith("pid "):
                os.kill(int(line.split()[1]), signal.SIGTERM)

        text = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(30)"
        status, _ = stream(script(text), stdin="", timeout_seconds=10, on_line=on_line)
        assert status == -15
        assert len(lines) == 1

    def test_a_late_program_is_ended(self) -> None:
        """A program that passes its time is killed, and the lines until then were given."""
        lines: list[str] = []
        text = "import time; print('begun', flush=True); time.sleep(30)"
        with pytest.raises(ToolError, match=r"did not finish in 0\.3 s"):
            stream(script(text), stdin="", timeout_seconds=0.3, on_line=lines.append)
        assert lines == ["begun"]

    def test_one_that_passed_its_errors_on_is_not_waited_for(self) -> None:
        """A shared SSH connection holds the standard error of a call that is long over."""
        held: list[str] = []
        text = (
            "import os, subprocess, sys, time;"
            "own = subprocess.Popen(['sleep', '60'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL);"
            "print(own.pid, flush=True); time.sleep(60)"
        )
        with pytest.raises(ToolError, match="did not finish"):
            stream(script(text), stdin="", timeout_seconds=3, on_line=held.append)
        os.kill(int(held[0]), signal.SIGKILL)  # it runs still; one that has ended could not be found

    def test_a_program_that_reads_nothing_is_no_error(self) -> None:
        """A program that ends without reading a large input gives its own status."""
        assert stream(script("raise SystemExit(5)"), stdin="x" * 1_000_000, timeout_seconds=10, on_line=print)[0] == 5

    def test_a_flood_of_errors_does_not_block(self) -> None:
        """Standard error is read on the side, however much it is."""
        text = "import sys; sys.stderr.write('e' * 1_000_000); print('done')"
        lines: list[str] = []
        _, errors = stream(script(text), stdin="", timeout_seconds=10, on_line=lines.append)
        assert lines == ["done"]
        assert len(errors) == 1_000_000

    def test_a_failing_listener_ends_the_program(self) -> None:
        """When a line cannot be taken, the program does not stay behind."""

        def refuse(_line: str) -> None:
            raise ValueError("no more")

        with pytest.raises(ValueError, match="no more"):
            stream(script("import time; print('x', flush=True); time.sleep(30)"), stdin="", timeout_seconds=10,
                   on_line=refuse)  # fmt: skip
