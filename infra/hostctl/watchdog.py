"""The process that ends a trial which nobody confirms, and finishes a release that nobody parks."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from .errors import HostctlError
from .lock import locked
from .state import OtherVersionError
from .supervise import act_if_due, is_unfinished

if TYPE_CHECKING:
    from .host import Host

POLL_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
"""How far the pause grows while what is due fails again and again: each time fills the journal."""
HANDOVER_SECONDS = 5.0
LOCK_SECONDS = 30.0


def spawn(base: Path) -> None:
    """Start a watchdog that outlives this call; one that runs already makes the new one end at once."""
    program = str(Path(sys.argv[0]).resolve())
    subprocess.Popen(
        [sys.executable, program, "--watchdog", str(base)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def watch(host: Host) -> None:
    """Look twice a second until there is nothing on trial or retiring; leave it to another watchdog that runs.

    One that runs may be about to end, having seen the state of before: so it is given the time to. Whatever a look
    fails for, the next one comes; later each time that something was done in vain. Only a state that another version
    of this program has written is left to that one's watchdog.
    """
    with contextlib.suppress(HostctlError), locked(host.paths.watchdog_lock, host.clock, wait_seconds=HANDOVER_SECONDS):
        pause, told = POLL_SECONDS, ""
        acts: list[str] = []
        while True:
            acts.clear()
            try:
                if not look(host, on_act=lambda: acts.append("begun")):
                    return
                pause, told = POLL_SECONDS, ""
            except OtherVersionError:
                return
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody else reverts what nobody confirms
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS) if acts else POLL_SECONDS
                told = _tell(host, error, told)
            host.clock.sleep(pause)


def _tell(host: Host, error: Exception, told: str) -> str:
    """Journal why a look failed, unless that was `told` just before; return what is told now."""
    why = error.message if isinstance(error, HostctlError) else type(error).__name__
    if why != told:
        with contextlib.suppress(Exception):
            host.journal.note("watchdog", "failed", error=why)
    return why


def look(host: Host, *, on_act: Callable[[], None] = lambda: None) -> bool:
    """Count, act if it is time to, and return whether there is still something to watch; `on_act`: see `act_if_due`."""
    is_counting = _count(host)
    state = host.state
    if not is_unfinished(host, state):
        return is_counting
    act_if_due(host, wait_seconds=LOCK_SECONDS, on_act=on_act)
    return True


def _count(host: Host) -> bool:
    """Add up what the workers of HAProxy have counted; return whether an old one still finishes requests."""
    try:
        _, survey = host.edge.fold_counters()
        return bool(survey.silent) or any(reading.is_old for reading in survey.readings)
    except HostctlError:
        return False
