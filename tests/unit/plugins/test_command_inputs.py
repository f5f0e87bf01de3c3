from __future__ import annotations

import asyncio

import pytest

from infra.toolchain.plugins.command.connection import parse_connection, with_defaults
from infra.toolchain.plugins.command.live_output import LiveOutput
from infra.toolchain.plugins.command.remote_command import check_connection
from infra.toolchain.plugins.command.source import parse_source, source_problem
from infra.toolchain.plugins.common.assets import ARCHIVE, ASSET, KEPT
from infra.toolchain.plugins.common.deadline import deadline
from infra.toolchain.plugins.common.failure import PluginError, terraform_error
from infra.toolchain.plugins.common.values import UNKNOWN, plain, wrap


def test_connection_defaults_are_the_official_ones() -> None:
    """User, port and limits are filled in, for the proxy too; what is given stays."""
    filled = with_defaults({"host": "h", "port": 2222.0, "password": None, "proxy": {"host": "p"}})
    limits = {"dialErrorLimit": 10.0, "perDialTimeout": 15.0, "user": "root"}
    assert filled == {"host": "h", "port": 2222.0, **limits, "proxy": {"host": "p", "port": 22.0, **limits}}


def test_connection_is_parsed_to_values() -> None:
    """The input's names become ours, and the proxy a connection of its own."""
    parsed = parse_connection({"host": "h", "hostKey": "k", "privateKey": "p", "proxy": {"host": "b", "user": "u"}})
    assert (parsed.host, parsed.port, parsed.user, parsed.host_key, parsed.private_key) == ("h", 22, "root", "k", "p")
    assert parsed.proxy is not None
    assert (parsed.proxy.host, parsed.proxy.user, parsed.proxy.proxy) == ("b", "u", None)


def test_checked_connection_is_a_secret_with_defaults() -> None:
    """Check fills the connection in and marks it secret."""
    inputs = {"connection": wrap({"host": "h"})}
    assert check_connection(inputs) == []
    assert inputs["connection"].is_secret
    assert plain(inputs["connection"])["user"] == "root"


@pytest.mark.parametrize(("inputs", "wrong"), [({}, "connection"), ({"connection": wrap({})}, "connection.host")])
def test_missing_connection_or_host_is_refused(inputs: dict[str, object], wrong: str) -> None:
    """The property that is missing is named."""
    assert [failure.property for failure in check_connection(inputs)] == [wrong]  # type: ignore[arg-type]


def test_unknown_connection_is_left_alone() -> None:
    """A connection that is only known in the real run passes."""
    inputs = {"connection": wrap(UNKNOWN)}
    assert check_connection(inputs) == []
    assert plain(inputs["connection"]) == UNKNOWN


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({KEPT: ASSET, "text": "x"}, ""),
        ({KEPT: ASSET, "path": "x"}, ""),
        ({KEPT: ARCHIVE, "path": "x"}, ""),
        ({KEPT: ASSET, "uri": "x"}, "asset must be a path-based file asset or a text asset"),
        ({KEPT: ARCHIVE, "assets": {}}, "archive must be a path to a file or directory"),
        ("text", "either asset or archive must be set"),
    ],
)
def test_only_files_folders_and_texts_can_be_copied(source: object, problem: str) -> None:
    """Other assets and archives are refused with the reason."""
    assert source_problem(source) == problem


def test_source_is_parsed_to_a_path_or_a_text() -> None:
    """A path wins; an empty text is a text."""
    assert parse_source({"path": "p", "hash": "h"}).text is None
    assert parse_source({"text": ""}).text == ""


def test_live_output_shows_whole_lines_in_order() -> None:
    """Pieces are joined to lines of any length, and the last one needs no newline."""
    shown: list[str] = []

    async def show(line: str) -> None:
        shown.append(line)

    async def feed() -> None:
        live = LiveOutput(show)
        for piece in (b"one\ntw", b"o\n", b"x" * 100_000, b"\n\xff", b"end"):
            live.feed(piece)
        await live.finish()

    asyncio.run(feed())
    assert shown == ["one", "two", "x" * 100_000, "\ufffdend"]


def test_deadline_raises_the_official_text() -> None:
    """A block that takes too long ends with the official text; 0 is no limit."""

    async def late() -> None:
        async with deadline(0.001):
            await asyncio.Event().wait()

    async def unlimited() -> None:
        async with deadline(0):
            await asyncio.sleep(0)

    with pytest.raises(PluginError, match="context deadline exceeded"):
        asyncio.run(late())
    asyncio.run(unlimited())


def test_terraform_failure_has_the_official_layout() -> None:
    """The failed step's URN and the text are laid out as the official Docker plugin does."""
    assert str(terraform_error("creating", "urn:x", "why")) == "creating urn:x: 1 error occurred:\n\t* why\n\n"
