from __future__ import annotations

import asyncio
from ssl import TLSVersion
from typing import TYPE_CHECKING

import pytest

from infra.checks.prober import ProbeRequest, Sender
from infra.checks.trust import trusting
from tests.support.certificates import Authority, server_context
from tests.support.fake_app import FakeApp, served

if TYPE_CHECKING:
    from pathlib import Path

NAME = "copilot.example.test"


@pytest.mark.parametrize(
    ("is_trusted", "name", "reasons"),
    [
        pytest.param(True, NAME, {None}, id="trusted"),
        pytest.param(False, NAME, {"ConnectError"}, id="of an authority that nobody knows"),
        pytest.param(True, None, {"ConnectError"}, id="of another name"),
    ],
)
def test_the_probe_trusts_the_stacks_own_authority(
    tmp_path: Path, *, is_trusted: bool, name: str | None, reasons: set[str]
) -> None:
    """A certificate of the stack's name and own authority loses no request, whatever address is asked."""
    authority = Authority(tmp_path)
    context = server_context(authority.sign(NAME, days=90), oldest=TLSVersion.TLSv1_2, newest=TLSVersion.TLSv1_3)
    with served(FakeApp(), context) as ports:
        url = f"https://127.0.0.1:{ports['acp-ingest']}/health"
        request = ProbeRequest(name="health", method="GET", url=url, headers={"Host": NAME}, server_name=name)
        verify = trusting(authority.ca_file if is_trusted else None)
        answers = asyncio.run(_ask_once(Sender([request], rate=100, verify=verify)))
    assert answers == reasons


async def _ask_once(sender: Sender) -> set[str | None]:
    """Return why requests were lost, None for one that was answered."""
    stop = asyncio.Event()
    stop.set()
    await sender.run(stop)
    return {answer.lost for answer in sender.answers}
