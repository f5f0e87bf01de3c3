from __future__ import annotations

import asyncio
import errno
import itertools
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.checks import prober
from infra.checks.prober import Prober, ProbeRequest, Sender, blame_of, named
from tests.support.web import Reply, serving

if TYPE_CHECKING:
    from infra.domain.certificate import Answer

RELEASED = {"X-ACP-Release": "v1-0"}


def pass_time() -> None:
    """Let the prober's thread work."""
    threading.Event().wait(0.01)


def answers_to(replies: list[Reply | None], *, rate: float = 200) -> list[Answer]:
    """Return how a prober takes these replies, the last of them again and again."""
    left = itertools.chain(replies, itertools.repeat(replies[-1]))
    with serving(lambda _path: next(left)) as web:
        request = ProbeRequest(name="route", method="GET", url=f"http://127.0.0.1:{web.port}/")
        with Prober([request], rate=rate) as asking:
            while len(asking.answers) < len(replies):
                pass_time()
    return sorted(asking.answers, key=lambda answer: answer.at)


@pytest.mark.parametrize(
    ("reply", "lost"),
    [
        (Reply(headers=RELEASED), None),
        (Reply(), None),
        (Reply(status=404, headers=RELEASED), None),
        (Reply(status=404), "status 404 of the edge itself"),
        (Reply(status=503, headers=RELEASED), "status 503"),
        (None, "RemoteProtocolError"),
    ],
    ids=["good", "good, of no release", "not found by the app", "not found by the edge", "error", "closed"],
)
def test_what_counts_as_an_answer(reply: Reply | None, lost: str | None) -> None:
    """A release's own answer below 500 is one; an error status, the edge's refusal and a closed connection are not."""
    assert {answer.lost for answer in answers_to([reply])} == {lost}


def test_every_other_request_tries_a_new_connection() -> None:
    """Half of the requests end their connection, so that listening is tried as well as keeping connections."""
    with serving(lambda _path: Reply(headers=RELEASED)) as web:
        request = ProbeRequest(name="route", method="GET", url=f"http://127.0.0.1:{web.port}/")
        with Prober([request], rate=200) as asking:
            while len(asking.answers) < 10:
                pass_time()
        closing = [headers.get("Connection") == "close" for _, headers in web.asked]
    assert min(closing.count(True), closing.count(False)) >= 4


def test_a_silent_server_is_asked_by_all_requests_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to a server that does not answer do not wait for each other: each of them reaches it."""
    silence = threading.Event()
    asked = []

    def answer(path: str) -> Reply:
        asked.append(path)
        silence.wait(20)
        return Reply(headers=RELEASED)

    with serving(answer, serially=False) as web:
        request = ProbeRequest(name="route", method="GET", url=f"http://127.0.0.1:{web.port}/")
        with Prober([request], rate=1000) as asking:
            while len(asked) < 150 and not asking.answers:
                pass_time()
            given_up = list(asking.answers)
            silence.set()
    assert given_up == []


@pytest.mark.parametrize(("late_seconds", "counts"), [(0.0, True), (60.0, False)])
def test_a_late_control_target_is_a_hiccup_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, late_seconds: float, counts: bool
) -> None:
    """What delays the twin of a request by more than is usual delayed the request; without a target there is none."""
    monkeypatch.setattr(prober, "HICCUP_SECONDS", late_seconds)
    with serving(lambda _path: Reply(headers=RELEASED)) as web, serving(lambda _path: Reply()) as control:
        request = ProbeRequest(name="route", method="GET", url=f"http://127.0.0.1:{web.port}/")
        sender = Sender([request], rate=1000, control_url=f"http://127.0.0.1:{control.port}/")
        asyncio.run(send_a_few(sender))
        assert len(control.asked) == len(web.asked) == len(sender.answers)
        assert bool(sender.hiccups) is counts
        asyncio.run(send_a_few(Sender([request], rate=1000)))
        assert len(web.asked) > len(control.asked)


async def send_a_few(sender: Sender) -> None:
    """Let it send for a moment, and then what it sends at the end."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    await sender.run(stop)


def test_a_prober_that_nobody_stops_keeps_no_process_alive() -> None:
    """Its thread ends with the process."""
    with Prober([ProbeRequest(name="route", method="GET", url="http://127.0.0.1:9/")], rate=1):
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "prober"]
        assert thread.daemon


@pytest.mark.timeout(10)
def test_errors_that_name_each_other_are_looked_at_once() -> None:
    """A circle of causes has an end."""
    error, cause = httpx.ConnectError("refused"), OSError(errno.ECONNREFUSED, "refused")
    error.__context__, cause.__context__ = cause, error
    assert blame_of(error) == "server"


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (httpx.ReadTimeout("late"), "time"),
        (httpx.ConnectTimeout("late"), "time"),
        (httpx.PoolTimeout("no free connection"), "runner"),
        (httpx.ConnectError("refused"), "server"),
        (httpx.RemoteProtocolError("closed"), "server"),
    ],
)
def test_an_error_speaks_against_somebody(error: httpx.HTTPError, blame: str) -> None:
    """A refusal is the server's, silence is open, and a full pool is our own."""
    assert blame_of(error) == blame


@pytest.mark.parametrize(("number", "blame"), [(errno.EMFILE, "runner"), (errno.ECONNREFUSED, "server")])
def test_the_error_behind_an_error_decides(number: int, blame: str) -> None:
    """An error of this machine is found wherever the client has wrapped it."""
    error = httpx.ConnectError("All connection attempts failed")
    error.__context__ = OSError("multiple")
    error.__context__.__cause__ = ExceptionGroup("attempts", [OSError(number, "why")])
    assert blame_of(error) == blame


@pytest.mark.parametrize(
    ("cause", "name"),
    [
        (None, "ReadError"),
        (OSError(errno.ECONNRESET, "reset"), "ReadError (ECONNRESET)"),
        (OSError("multiple"), "ReadError"),
        (ssl.SSLError(1, "unknown authority"), "ReadError"),
        (socket.gaierror(socket.EAI_NONAME, "unknown name"), "ReadError"),
    ],
)
def test_a_loss_is_told_with_the_systems_word_for_it(cause: OSError | None, name: str) -> None:
    """Refused, reset and unreachable lead to different places; what is no error of the system has no word there."""
    error = httpx.ReadError("why")
    error.__cause__ = cause
    assert named(error) == name
