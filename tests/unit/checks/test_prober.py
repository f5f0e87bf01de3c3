from __future__ import annotations

import errno
import itertools
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.checks.prober import Prober, ProbeRequest, blame_of
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
        with Prober([request], rate=rate) as prober:
            while len(prober.answers) < len(replies):
                pass_time()
    return sorted(prober.answers, key=lambda answer: answer.at)


@pytest.mark.parametrize(
    ("reply", "lost"),
    [
        (Reply(headers=RELEASED), None),
        (Reply(status=404, headers=RELEASED), None),
        (Reply(status=404), "status 404 of the edge itself"),
        (Reply(status=503, headers=RELEASED), "status 503"),
        (None, "RemoteProtocolError"),
    ],
    ids=["good", "not found by the app", "not found by the edge", "error", "closed"],
)
def test_what_counts_as_an_answer(reply: Reply | None, lost: str | None) -> None:
    """A release's own answer below 500 is one; an error status, the edge's refusal and a closed connection are not."""
    assert {answer.lost for answer in answers_to([reply])} == {lost}


def test_every_other_request_tries_a_new_connection() -> None:
    """Half of the requests end their connection, so that listening is tried as well as keeping connections."""
    with serving(lambda _path: Reply(headers=RELEASED)) as web:
        request = ProbeRequest(name="route", method="GET", url=f"http://127.0.0.1:{web.port}/")
        with Prober([request], rate=200) as prober:
            while len(prober.answers) < 10:
                pass_time()
        closing = [headers.get("Connection") == "close" for _, headers in web.asked]
    assert min(closing.count(True), closing.count(False)) >= 4


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
