"""hostctl's entry: its few options, then one request from stdin."""

from __future__ import annotations

import io
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from . import errors, watchdog
from .commands import COMMANDS
from .errors import HostctlError
from .fields import Fields
from .files import file_error
from .host import make_host
from .paths import Paths, default_base, installed_base
from .protocol import LARGEST_REQUEST_BYTES, Answer, read_request
from .redact import Redactor
from .version import version

if TYPE_CHECKING:
    from .host import Host
    from .journal import Observer

USAGE = """\
usage: hostctl                 read one JSON request from stdin, answer in JSON lines
       hostctl --session       answer one request after another, each a line of stdin, until stdin ends
       hostctl install         install or update hostctl; a JSON request may be on stdin
       hostctl uninstall       remove everything that hostctl made on this host
       hostctl --deploy        the same without set-up commands (the deploy key's forced command)
       hostctl --version | --errors | --help

example: echo '{"command": "status"}' | hostctl
"""
SESSION = "--session"
SHOWN = {"--help": lambda: USAGE, "--version": lambda: f"{version()}\n", "--errors": errors.as_markdown}


def main(observer: Observer | None = None) -> int:
    """Run hostctl; return its exit status."""
    _ignore_hangups()
    arguments = sys.argv[1:]
    asked = _asked(arguments)
    if asked in SHOWN:
        sys.stdout.write(SHOWN[asked]())
        return 0
    if arguments[:1] == ["--watchdog"]:
        watchdog.watch(make_host(Paths(Path(arguments[1])), observer=observer))
        return 0
    is_deploy = "--deploy" in arguments
    if asked == SESSION:
        return _serve_session(is_deploy=is_deploy, observer=observer)
    return _serve(Answer(Redactor()), lambda: _request(arguments), is_deploy=is_deploy, observer=observer)


def _serve_session(*, is_deploy: bool, observer: Observer | None) -> int:
    """Answer each request as it comes, and first that it is taken: a caller who did not hear that may ask elsewhere."""
    while line := sys.stdin.buffer.readline(LARGEST_REQUEST_BYTES + 1):
        answer = Answer(Redactor())
        answer.taken()
        _serve(answer, partial(read_request, io.BytesIO(line)), is_deploy=is_deploy, observer=observer)
        if not line.endswith(b"\n"):  # too long, or cut off: what comes next is no request
            break
    return 0


def _serve(answer: Answer, read: Callable[[], dict[str, Any]], *, is_deploy: bool, observer: Observer | None) -> int:
    """Answer one request."""
    redactor = answer.redactor
    try:
        request = read()
        redactor.add(_secret_values(request))
        name = str(request.pop("command", ""))
        result = _run(name, request, answer, is_deploy=is_deploy, observer=observer)
    except HostctlError as error:
        answer.error(error)
        return error.kind.exit_status
    except OSError as error:
        failed = file_error(Path(str(error.filename or "a file")), error)
        answer.error(failed)
        return failed.kind.exit_status
    except Exception as error:  # noqa: BLE001 - a bug is answered as a line too, without the values in it
        where = _where(error)
        bug = HostctlError("internal", f"{type(error).__name__} in {where}", where=where)
        answer.error(bug)
        return bug.kind.exit_status
    answer.result(name, result)
    return 0


def _run(
    name: str, request: dict[str, Any], answer: Answer, *, is_deploy: bool, observer: Observer | None
) -> dict[str, Any]:
    """Run one command."""
    command = COMMANDS.get(name)
    if command is None:
        raise HostctlError(
            "bad_request", f"command: must be one of {', '.join(sorted(COMMANDS))}", problems=["command: unknown"]
        )
    if command.is_setup and is_deploy:
        raise HostctlError("not_permitted", f"the deploy key may not call {name}")
    fields = Fields(request)
    paths = Paths(_base(fields, name))
    host = make_host(paths, progress=answer.progress, observer=observer, redactor=answer.redactor)
    host.spawn_watchdog = lambda: watchdog.spawn(host.paths.base)
    _check_stack(host, fields, name)
    return command.run(host, fields)


def _check_stack(host: Host, fields: Fields, name: str) -> None:
    """Refuse a request that is meant for another stack than this host's."""
    if name == "edge":
        return
    stack = fields.text("stack", None)
    if stack and host.edge.is_set_up and host.edge.settings.stack != stack:
        raise HostctlError(
            "bad_request",
            f"stack: this host is set up for {host.edge.settings.stack}, not {stack}",
            problems=["stack: wrong host"],
        )


def _base(fields: Fields, name: str) -> Path:
    """Return the base folder: where this hostctl is installed, or what `install` says."""
    if name == "install" and fields.has("base_dir"):
        return Path(fields.text("base_dir", pattern=r"/[^\s\"']+")).resolve()
    return installed_base(sys.argv[0]) or default_base()


def _request(arguments: list[str]) -> dict[str, Any]:
    """Return the request; `install` and `uninstall` may come as an argument with an empty stdin."""
    if arguments[:1] in (["install"], ["uninstall"]):
        content = {} if sys.stdin.isatty() else _optional_request()
        return {**content, "command": arguments[0]}
    return read_request(sys.stdin.buffer)


def _optional_request() -> dict[str, Any]:
    """Return the request on stdin, an empty one when there is none."""
    content = sys.stdin.buffer.read()
    return read_request(io.BytesIO(content)) if content.strip() else {}


def _asked(arguments: list[str]) -> str:
    """Return the option that only shows something, also when it comes through a forced command."""
    words = arguments[:1] if arguments != ["--deploy"] else os.environ.get("SSH_ORIGINAL_COMMAND", "").split()[1:2]
    return words[0] if words else ""


def _secret_values(request: dict[str, Any]) -> list[str]:
    """Return every value of a request that must never be shown."""
    secrets, registry, tls = (request.get(name) for name in ("secrets", "registry", "tls"))
    values = list(secrets.values()) if isinstance(secrets, dict) else []
    values += [registry.get("password")] if isinstance(registry, dict) else []
    values += [tls.get("certificate_pem")] if isinstance(tls, dict) else []
    return [value for value in values if isinstance(value, str)]


def _where(error: BaseException) -> str:
    """Return the file and line that an exception came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"


def _ignore_hangups() -> None:
    """Let a lost SSH connection not stop a step halfway."""
    for number in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
