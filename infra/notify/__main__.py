"""The sender as a process: `python -m infra.notify STACK`, or beside an update with its engine, run and release.

It outlives who started it. Beside an update it also speaks for one that ended without a word: it waits for the engine's
end, and when no outcome was announced it asks the hosts for it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import threading
import time

import psutil

from infra.errors import ReleaseError
from infra.notify.aftermath import find_aftermath
from infra.notify.announce import put_notice
from infra.notify.channels import Transport
from infra.notify.delivery import new_client
from infra.notify.outbox import Outbox, lock_name
from infra.notify.sender import Sender
from infra.paths import PROJECT_ROOT
from infra.rollout.context import who
from infra.settings import Settings, load_stack_file
from infra.settings.notifications import GITHUB

LINGER_SECONDS = 300.0
POLL_SECONDS = 0.5
NICENESS = 10


def main() -> None:
    """Send until everything is delivered, or for some minutes after the update's end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--engine", type=int, help="process id of the update's engine")
    parser.add_argument("--since", type=float, default=0.0, help="when the engine started, as Unix time")
    parser.add_argument("--run", default="", help="run id of the update")
    parser.add_argument("--release", default="")
    parser.add_argument("--commit", default="")
    chosen = parser.parse_args()
    os.nice(NICENESS)
    # Its lines would name addresses that are secrets.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = load_stack_file(chosen.stack, PROJECT_ROOT)
    except ReleaseError:
        return
    outbox = Outbox.of(settings.stack)
    with new_client() as client, outbox.locked(lock_name(chosen.run)):
        sender = Sender(outbox, Transport(settings, os.environ, client))
        watch = threading.Thread(target=lambda: _end_with(chosen, settings, outbox, sender), daemon=True)
        watch.start()
        sender.run([GITHUB, *(channel.name for channel in settings.notifications.channels)])
        outbox.forget_lock(lock_name(chosen.run))


def _end_with(chosen: argparse.Namespace, settings: Settings, outbox: Outbox, sender: Sender) -> None:
    """Let the sender end some minutes after the engine, whose run has an outcome by then."""
    try:
        if chosen.engine is not None:
            wait_for_end(chosen.engine, chosen.since)
        ended = time.time()
        if chosen.run and not outbox.has_outcome(chosen.run, chosen.release):
            found = find_aftermath(settings, chosen.release, chosen.since)
            put_notice(
                settings,
                found.event,
                chosen.run,
                os.environ,
                release=chosen.release,
                commit=chosen.commit,
                replaced="" if found.serving == chosen.release else found.serving,
                who=who(),
                duration_seconds=ended - chosen.since if chosen.since else None,
                reason=found.reason,
            )
    finally:
        sender.end_by(time.monotonic() + LINGER_SECONDS)


def wait_for_end(pid: int, since: float) -> None:
    """Wait for the end of the process that has this id since then."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.create_time() == since and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
