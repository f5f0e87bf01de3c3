"""SSH connections, tried again until the connection's limit, with the official plugin's words for what went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from typing import TYPE_CHECKING, Any

from infra.toolchain.plugins.command.connection import UNLIMITED, Connection
from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.common.gotext import join_host_port, system_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncssh

FIRST_DELAY_SECONDS = 0.1
DELAY_FACTOR = 1.5
LONGEST_DELAY_SECONDS = 5.0
ALIVE_INTERVAL_SECONDS = 15
ALIVE_COUNT = 3
"""A host that is silent for so many intervals is gone, and what runs there is not waited for."""


class DialError(Exception):
    """One failed attempt, in the official plugin's words."""


@contextlib.asynccontextmanager
async def dialed(
    connection: Connection, *, report: Callable[[str], Awaitable[None]], cancelled: asyncio.Event
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Hold an SSH connection, through the proxy if one is named; failed attempts are reported and repeated."""
    async with contextlib.AsyncExitStack() as held:
        tunnel = None
        if connection.proxy is not None:
            try:
                tunnel = await _with_retries(connection.proxy, "Dial proxy", None, report, cancelled)
            except PluginError as error:
                message = f"proxy: {error}"
                raise PluginError(message) from None
            held.callback(tunnel.abort)
        client = await _with_retries(connection, "Dial", tunnel, report, cancelled)
        held.callback(client.abort)
        yield client


async def _with_retries(
    connection: Connection,
    what: str,
    tunnel: asyncssh.SSHClientConnection | None,
    report: Callable[[str], Awaitable[None]],
    cancelled: asyncio.Event,
) -> asyncssh.SSHClientConnection:
    """Return a connection, or raise after `dial_error_limit` repetitions."""
    options = await _login_options(connection)
    limit = connection.dial_error_limit
    shown_limit = "inf" if limit == UNLIMITED else str(limit)
    delay, failures = FIRST_DELAY_SECONDS, 0
    while True:
        try:
            return await _dial_once(connection, tunnel, options)
        except DialError as error:
            failures += 1
            if limit > UNLIMITED and failures > limit:
                message = f"after {failures - 1} failed attempts: {error}"
                raise PluginError(message) from None
        await report(f"{what} {failures}/{shown_limit} failed: retrying")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(cancelled.wait(), delay)
        if cancelled.is_set():
            message = "context canceled"
            raise PluginError(message)
        delay = min(delay * DELAY_FACTOR, LONGEST_DELAY_SECONDS)


async def _dial_once(
    connection: Connection, tunnel: asyncssh.SSHClientConnection | None, options: dict[str, Any]
) -> asyncssh.SSHClientConnection:
    """Return a connection from one attempt, or raise `DialError`."""
    import asyncssh  # noqa: PLC0415 - 0.2 s that an update without changes does not spend

    address = join_host_port(connection.host, connection.port)
    try:
        return await asyncssh.connect(connection.host, connection.port, tunnel=tunnel or (), **options)
    except (TimeoutError, asyncssh.ConnectionLost) as error:
        lost = isinstance(error, asyncssh.ConnectionLost)
        text = "ssh: handshake failed: EOF" if lost else f"dial tcp {address}: i/o timeout"
    except asyncssh.HostKeyNotVerifiable:
        text = "ssh: handshake failed: ssh: host key mismatch"
    except asyncssh.KeyExchangeFailed as error:
        text = f"ssh: handshake failed: ssh: no common algorithm: {error.reason}"
    except asyncssh.PermissionDenied:
        methods = ["none"]
        methods += ["publickey"] if options["client_keys"] else []
        methods += ["password"] if connection.password else []
        text = (
            f"ssh: handshake failed: ssh: unable to authenticate, attempted methods [{' '.join(methods)}], "
            "no supported methods remain"
        )
    except socket.gaierror:
        text = f"dial tcp: lookup {connection.host}: no such host"
    except (ConnectionResetError, BrokenPipeError) as error:
        text = f"ssh: handshake failed: read tcp {address}: {system_error(error)}"
    except OSError as error:
        text = f"dial tcp {address}: connect: {system_error(_first_cause(error))}"
    except asyncssh.Error as error:
        text = f"ssh: handshake failed: {error.reason}"
    raise DialError(text)


async def _login_options(connection: Connection) -> dict[str, Any]:
    """Return asyncssh's options for this connection; nothing comes from files of the user who runs Pulumi."""
    import asyncssh  # noqa: PLC0415

    known_hosts: tuple[list[Any], list[Any], list[Any]] | None = None
    if connection.host_key is not None:
        try:
            known_hosts = ([asyncssh.import_public_key(connection.host_key)], [], [])
        except asyncssh.KeyImportError:
            message = "failed to parse host key: ssh: no key found"
            raise PluginError(message) from None
    keys = [*_private_keys(connection), *await _agent_keys(connection)]
    return {
        "username": connection.user,
        "password": connection.password,
        "client_keys": keys or None,
        "known_hosts": known_hosts,
        "connect_timeout": connection.per_dial_timeout_seconds or None,
        "login_timeout": 0,
        "keepalive_interval": ALIVE_INTERVAL_SECONDS,
        "keepalive_count_max": ALIVE_COUNT,
        "agent_path": None,
        "config": None,
        "x509_trusted_certs": None,
    }


def _private_keys(connection: Connection) -> list[Any]:
    """Return the private key of the input, if there is one."""
    import asyncssh  # noqa: PLC0415

    if connection.private_key is None:
        return []
    try:
        return [asyncssh.import_private_key(connection.private_key, connection.private_key_password)]
    except asyncssh.KeyEncryptionError as error:
        message = f"ssh: this private key is passphrase protected: {error}"
    except asyncssh.KeyImportError:
        message = "ssh: no key found"
    raise PluginError(message)


async def _agent_keys(connection: Connection) -> list[Any]:
    """Return the keys that the SSH agent holds; an agent that is named and does not answer is an error."""
    path = connection.agent_socket_path or os.environ.get("SSH_AUTH_SOCK")
    if not path:
        return []
    import asyncssh  # noqa: PLC0415

    try:
        agent = await asyncssh.connect_agent(path)
    except OSError as error:
        message = f"dial unix {path}: connect: {system_error(error)}"
        raise PluginError(message) from None
    return list(await agent.get_keys())


def _first_cause(error: OSError) -> OSError:
    """Return the first error inside one that covers several addresses of a name."""
    if error.errno is None and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        return OSError(int(found[1]), "")
    return error
