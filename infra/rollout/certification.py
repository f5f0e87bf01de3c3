"""The certificate's probe, a process of its own, as preflight and driver use it: started, looked at, ended."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from infra.adapters.background import find_engine, find_process, start_module
from infra.checks.probe_files import Plan, ProbeFiles, State
from infra.checks.routes import route_requests
from infra.checks.tls import own_authority
from infra.errors import CheckError, ToolError
from infra.paths import CACHE_FOLDER
from infra.rollout.document import base_document

if TYPE_CHECKING:
    from infra.rollout.context import RolloutContext

START_SECONDS = 20.0
END_SECONDS = 10.0
FRESH_SECONDS = 5.0
POLL_SECONDS = 0.02
PROBE_FOLDER = CACHE_FOLDER / "probe"
UNSAFE = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """The probe of one stack and run."""

    context: RolloutContext

    @property
    def files(self) -> ProbeFiles:
        """Where the probe's files are."""
        name = UNSAFE.sub("_", self.context.run_id)
        return ProbeFiles(folder=PROBE_FOLDER / self.context.settings.stack / name)

    def start(self) -> None:
        """Start the probe; `wait_running` says when it sends."""
        self._remove_stale()
        rules, engine = self.context.settings.certificate, find_engine()
        authority = own_authority(self.context.settings)
        self.files.write_plan(
            Plan(
                requests=route_requests(self.context.settings),
                rate=rules.rate,
                slow_ms=rules.slow_ms,
                max_seconds=rules.max_seconds,
                engine_pid=engine.pid,
                engine_created=engine.create_time(),
                document=base_document(self.context),
                authority=str(authority) if authority else None,
            )
        )
        started = psutil.Process(start_module("infra.checks.probe", str(self.files.folder)).pid)
        self.files.write_state(State(pid=started.pid, created=started.create_time(), at=time.time()))

    def wait_running(self) -> None:
        """Wait until the probe sends."""
        deadline = time.monotonic() + START_SECONDS
        while not (self._process() and (state := self.files.read_state()) and state.running):
            if time.monotonic() > deadline or self._process() is None:
                raise ToolError(
                    "the certificate's probe did not start",
                    where=f"{self.files.folder}",
                    mend="is the machine overloaded, or its disk full?",
                )
            time.sleep(POLL_SECONDS)

    def ensure(self) -> None:
        """Go on with the preflight's probe; begin one here where a retried job has the preflight of its first try."""
        if self._process() is None:
            self.start()
            self.wait_running()

    def require_lossless(self) -> None:
        """Raise `CheckError` when a request was lost up to now, or when nobody can say, where the stack forbids it."""
        if not self.context.settings.certificate.fail_on_loss:
            return
        state = self.files.read_state()
        if state is None or self._process() is None or time.time() - state.at > FRESH_SECONDS:
            raise CheckError(
                "nobody can say whether a request was lost: the certificate's probe has ended",
                mend="run again; what ended it? it is `infra.checks.probe` on this machine",
            )
        if state.failed:
            raise CheckError(
                f"{state.failed} of {state.answered + state.failed} requests of the certificate's probe were lost\n"
                + loss_lines(state.losses)
            )

    def end(self) -> dict[str, Any] | None:
        """End the probe and return the certificate, None when it left none."""
        process = self._process()
        result = self._result_of(process) if process else None
        self.files.remove()
        return result

    def abandon(self) -> None:
        """End the probe without a result."""
        with contextlib.suppress(OSError, ValueError):
            self.end()

    def _result_of(self, process: psutil.Process) -> dict[str, Any] | None:
        """Ask the probe for its result and wait for it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
        deadline = time.monotonic() + END_SECONDS + self.context.settings.certificate.slow_ms / 1000
        while time.monotonic() < deadline:
            result = self.files.read_result()
            if result is not None or self._process() is None:
                return result or self.files.read_result()
            time.sleep(POLL_SECONDS)
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
        return None

    def _remove_stale(self) -> None:
        """Remove what probes left that were killed."""
        for folder in self.files.folder.parent.glob("*"):
            files = ProbeFiles(folder=folder)
            state = files.read_state()
            if state is None or find_process(state.pid, state.created) is None:
                files.remove()

    def _process(self) -> psutil.Process | None:
        """Return the probe's process, None when it has not begun or has ended."""
        state: State | None = self.files.read_state()
        return find_process(state.pid, state.created) if state else None


def loss_lines(losses: Any) -> str:
    """Return the first losses in words."""
    return "\n".join(
        f"    {loss['at']} {loss['route']}: {loss['reason']} after {loss['milliseconds']:g} ms" for loss in losses
    )
