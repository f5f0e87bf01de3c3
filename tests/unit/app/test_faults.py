from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from acp_reference.core import misbehaviour
from acp_reference.core.faults import Fault, FaultError, flap_is_down, parse_fault
from acp_reference.core.misbehaviour import RequestFaults

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("", "none", 0),
        ("none", "none", 0),
        ("never-ready", "never-ready", 0),
        ("slow", "slow", 400),
        ("slow:250", "slow", 250),
        ("error-after:20", "error-after", 20),
        ("leak:0.5", "leak", 0.5),
        ("oom:3", "oom", 3),
    ],
)
def test_a_fault_is_read(text: str, kind: str, amount: float) -> None:
    """A kind stands alone with its default amount, or with an amount of its own."""
    assert parse_fault(text) == Fault(kind=kind, amount=amount)


@pytest.mark.parametrize("text", ["slwo", "slow:", "slow:fast", "slow:-1", "slow:nan", "leak:inf", "never-ready:3"])
def test_a_bad_fault_is_refused(text: str) -> None:
    """A misspelt fault must not silently give a good image."""
    with pytest.raises(FaultError, match="ACP_FAULT"):
        parse_fault(text)


def test_flapping_never_passes_three_probes_in_a_row() -> None:
    """At the usual half second between probes, a flapping service fails before its third pass."""
    answers = [flap_is_down(index * 0.5, parse_fault("flap").amount) for index in range(200)]

    assert not any(answers[index : index + 3] == [False] * 3 for index in range(198))
    assert not all(answers)


def test_errors_begin_after_the_given_number_of_requests() -> None:
    """`error-after:2` lets two requests through and fails every later one."""
    faults = RequestFaults(parse_fault("error-after:2"))

    async def ask() -> list[int | None]:
        return [await faults.spoil() for _ in range(4)]

    assert asyncio.run(ask()) == [None, None, 500, 500]


def test_requests_hang_after_the_given_number() -> None:
    """`hang-after:2` lets two requests through and answers no later one."""
    faults = RequestFaults(parse_fault("hang-after:2"))

    async def ask() -> list[int | None]:
        answered = [await faults.spoil() for _ in range(2)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(faults.spoil(), timeout=0.05)
        return answered

    assert asyncio.run(ask()) == [None, None]


def test_a_leak_keeps_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request of a leaking release holds on to memory, as long as a container limit contains it."""
    monkeypatch.setattr(misbehaviour, "memory_limit_bytes", lambda: 1)
    faults = RequestFaults(parse_fault("leak:0.1"))

    async def ask() -> None:
        for _ in range(3):
            await faults.spoil()

    asyncio.run(ask())
    assert sum(map(len, faults._hoard)) == pytest.approx(0.3 * 1024 * 1024, abs=3)


@pytest.mark.parametrize(("text", "limit"), [("536870912", 536870912), ("max", None), ("9223372036854771712", None)])
def test_the_memory_limit_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, limit: int | None
) -> None:
    """A limit counts; `max` and the huge figure of cgroup v1 mean that there is none."""
    path = tmp_path / "memory.max"
    path.write_text(f"{text}\n", encoding="ascii")
    monkeypatch.setattr(misbehaviour, "_LIMIT_FILES", (tmp_path / "missing", path))

    assert misbehaviour.memory_limit_bytes() == limit


def test_running_out_of_memory_spares_a_machine_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a container limit the process ends as if killed, instead of taking the machine's memory."""
    monkeypatch.setattr(misbehaviour, "memory_limit_bytes", lambda: None)

    with pytest.raises(SystemExit) as caught:
        asyncio.run(misbehaviour.misbehave(parse_fault("oom")))
    assert caught.value.code == 137
