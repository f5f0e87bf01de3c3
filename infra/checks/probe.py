"""The certificate's probe, a process of its own: `python -m infra.checks.probe FOLDER`.

It runs from before the first change on any host to after the last drain, while the resources of an update come and go
in other processes. SIGTERM ends it with a result. When the Pulumi engine has ended without asking for it (a candidate
did not start, the job was killed), or after the longest time, the probe writes the release's report itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from infra.adapters.background import find_process, start_module
from infra.checks.probe_files import Plan, ProbeFiles, State
from infra.checks.prober import Sender
from infra.checks.trust import trusting
from infra.domain.certificate import certify, failures, once_served, shown

STATE_SECONDS = 0.2


async def run(files: ProbeFiles, plan: Plan, control_url: str) -> tuple[dict[str, Any], bool]:
    """Probe until the end; return the certificate, and whether somebody asked for it."""
    asked, over = asyncio.Event(), asyncio.Event()

    def finish() -> None:
        asked.set()
        over.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, finish)
    verify = trusting(Path(plan.authority) if plan.authority else None)
    sender = Sender(plan.requests, rate=plan.rate, control_url=control_url, verify=verify)
    watch = asyncio.create_task(_watch(files, plan, sender, over))
    # What is still on its way at the end gets the time that a good answer may take.
    await sender.run(over, grace_seconds=plan.slow_ms / 1000)
    await watch
    routes = {request.name for request in plan.requests}
    seen = certify(once_served(sender.answers), sender.hiccups, slow_ms=plan.slow_ms, routes=routes)
    return {**seen.to_json(), "rate": plan.rate}, asked.is_set()


async def _watch(files: ProbeFiles, plan: Plan, sender: Sender, over: asyncio.Event) -> None:
    """Write the state now and then, and end the probe when nobody can want it any more."""
    deadline = time.monotonic() + plan.max_seconds
    try:
        while not over.is_set():
            _write_state(files, plan, sender)
            if find_process(plan.engine_pid, plan.engine_created) is None or time.monotonic() > deadline:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), timeout=STATE_SECONDS)
    finally:
        over.set()


def _write_state(files: ProbeFiles, plan: Plan, sender: Sender) -> None:
    """Say how many requests were answered and lost up to now."""
    own = psutil.Process()
    seen = once_served(sender.answers)
    failed = failures(seen, sender.hiccups, slow_ms=plan.slow_ms)
    files.write_state(
        State(
            pid=own.pid,
            created=own.create_time(),
            at=time.time(),
            running=True,
            answered=sum(answer.lost is None for answer in seen),
            failed=len(failed),
            losses=shown(failed),
        )
    )


def main(folder: Path) -> None:
    """Run the probe that the plan in `folder` describes, beside a control target of its own."""
    files = ProbeFiles(folder=folder)
    plan = files.read_plan()
    with start_module("infra.checks.control", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as control:
        port = int(control.stdout.readline()) if control.stdout else 0
        certificate, is_wanted = asyncio.run(run(files, plan, f"http://127.0.0.1:{port}/"))
        if control.stdin:
            control.stdin.close()
    if is_wanted:
        files.write_result(certificate)
        return
    from infra.reports.store import write_report  # noqa: PLC0415 - half of what a start would take, and seldom needed

    write_report({**plan.document, "outcome": "unfinished", "certificate": certificate})
    state = files.read_state()
    if state is not None and state.pid == os.getpid():
        files.remove()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
