"""`python3 -m infra.toolchain up|down|status`: set-up of a machine with nothing but Python and Go on it.

Exit codes: 0 ready, 2 wrong arguments, 70 something is missing or failed, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from infra.toolchain import ci, down, places, status, up
from infra.toolchain.errors import EXIT_NOT_READY, EXIT_READY, SetupError
from infra.toolchain.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    whole = argparse.ArgumentParser(prog="python3 -m infra.toolchain", description="Set up this machine.")
    commands = whole.add_subparsers(dest="command", required=True)
    upward = commands.add_parser("up", help="bring about everything that is missing")
    upward.add_argument("--system-only", action="store_true", help="only what needs root: packages and Docker engine")
    upward.add_argument("--lab", action="store_true", help="the lab too, beside the building of tools")
    upward.add_argument("--quiet", action="store_true", help="say nothing when there is nothing to do")
    downward = commands.add_parser("down", help="remove what set-up made in this checkout")
    downward.add_argument("--cache", action="store_true", help="also the tools that all checkouts of this user share")
    shown = commands.add_parser("status", help="tell the state of every prerequisite")
    shown.add_argument("--json", action="store_true", help="as JSON")
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = parser().parse_args(arguments)
    here, progress = places.find(), Progress()
    try:
        if chosen.command == "status":
            states = status.collect(here)
            print(status.as_json(states) if chosen.json else status.as_text(states))
            return EXIT_READY if all(state.ready for _, state in states) else EXIT_NOT_READY
        if chosen.command == "down":
            down.run(here, progress, cache=chosen.cache)
            return EXIT_READY
        up.run(here, progress, system_only=chosen.system_only, lab=chosen.lab)
        ci.announce(here, os.environ)
    except SetupError as error:
        print(f"set-up failed: {error}", file=sys.stderr)
        return EXIT_NOT_READY
    except KeyboardInterrupt:
        print("interrupted; run it again and it goes on", file=sys.stderr)
        return EXIT_INTERRUPTED
    if progress.worked or not chosen.quiet:
        progress.say("everything is ready")
    return EXIT_READY


if __name__ == "__main__":
    sys.exit(main())
