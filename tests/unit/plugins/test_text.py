from __future__ import annotations

import errno

import pytest

from infra.toolchain.plugins.common.gotext import join_host_port, quote, system_error
from infra.toolchain.plugins.common.ids import with_random_hex


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ('say "hi"\n', '"say \\"hi\\"\\n"'),
        ("back\\slash\ttab", '"back\\\\slash\\ttab"'),
        ("grün", '"grün"'),
        ("\x00\x1f\x7f", '"\\x00\\x1f\\x7f"'),
        ("\u200b", '"\\u200b"'),
        ("\U000e0001", '"\\U000e0001"'),
    ],
)
def test_quote_escapes_as_go_does(text: str, quoted: str) -> None:
    """Text is quoted with Go's escapes; printable characters of any script stay."""
    assert quote(text) == quoted


def test_host_and_port_put_brackets_around_ipv6() -> None:
    """An IPv6 address is put in brackets."""
    assert join_host_port("h1", 22) == "h1:22"
    assert join_host_port("::1", 22) == "[::1]:22"


def test_system_errors_are_in_lower_case() -> None:
    """An error number is told in lower case, as Go does; without one its own text is."""
    assert system_error(OSError(errno.ECONNREFUSED, "")) == "connection refused"
    assert system_error(OSError("Odd")) == "odd"


def test_random_hex_has_the_wanted_length_and_changes() -> None:
    """Each id has the prefix and as many hexadecimal digits as asked for, odd numbers too."""
    first, second = with_random_hex("cmd", 7), with_random_hex("cmd", 7)
    assert first != second
    assert len(first) == len("cmd") + 7
    assert int(first.removeprefix("cmd"), 16) >= 0
