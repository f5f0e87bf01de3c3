"""Programs that stand in for real ones on PATH: real processes that answer as told and keep what they were asked."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

SCRIPT = """#!{python} -IS
import json, os, sys, time, socket
folder = {folder!r}
plan = json.load(open(folder + "/plan.json"))
call = {{"argv": sys.argv[1:], "stdin": sys.stdin.read() if plan["read_stdin"] else ""}}
with open(folder + "/calls.jsonl", "a") as file:
    file.write(json.dumps(call) + "\\n")
for line in plan["stdout"]:
    print(line, flush=True)
sys.stderr.write(plan["stderr"])
sys.stderr.flush()
open_ports = []
for place, value in zip(sys.argv, sys.argv[1:]):
    if plan["listen"] and place == "-L":
        listener = socket.create_server(("127.0.0.1", int(value.split(":")[1])))
        open_ports.append(listener)
if plan["hang"]:
    time.sleep(60)
if plan["status"] < 0:
    os.kill(os.getpid(), -plan["status"])
sys.exit(plan["status"])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeProgram:
    """A program of a given name, first on PATH."""

    folder: Path

    def answers(
        self,
        stdout: Sequence[str] = (),
        *,
        stderr: str = "",
        status: int = 0,
        hang: bool = False,
        listen: bool = False,
        read_stdin: bool = True,
    ) -> None:
        """Let each later call print these lines and end with `status` (below 0 a signal), hang, or listen for `-L`."""
        plan = {
            "stdout": list(stdout),
            "stderr": stderr,
            "status": status,
            "hang": hang,
            "listen": listen,
            "read_stdin": read_stdin,
        }
        (self.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Return arguments and standard input of every call so far."""
        path = self.folder / "calls.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


def install_fake(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProgram:
    """Put a fake `name` first on PATH; it answers nothing until told."""
    programs = folder / f"fake-{name}"
    programs.mkdir()
    script = programs / name
    script.write_text(SCRIPT.format(python=sys.executable, folder=str(programs)), encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    fake = FakeProgram(folder=programs)
    fake.answers()
    return fake
