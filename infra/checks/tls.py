"""TLS of the edge on every host: chain, host name, days left, protocol."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.adapters.files import key_path
from infra.checks.blame import CERTIFICATE
from infra.checks.result import CheckResult
from infra.checks.trust import trusting

if TYPE_CHECKING:
    from pathlib import Path

    from infra.checks.inquiry import Inquiry
    from infra.settings import Settings
    from infra.settings.model import Host, Tls

HANDSHAKE_SECONDS = 5.0
DAY_SECONDS = 86_400
SETTING = "edge.tls.certificate_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a server showed in a handshake that was verified."""

    protocol: str
    days_left: float


def own_authority(settings: Settings) -> Path | None:
    """Return the file of the stack's own authority, where it names one."""
    name = settings.edge.tls.ca_file if settings.edge.tls else None
    return key_path(name) if name else None


def trust(settings: Settings) -> ssl.SSLContext:
    """Return who may vouch for the certificate: the system's authorities, and the stack's own where it names one."""
    return trusting(own_authority(settings))


async def check_tls(inquiry: Inquiry) -> list[CheckResult]:
    """Shake hands with every host under the public name."""
    tls = inquiry.settings.edge.tls
    if tls is None:
        return []
    context = trust(inquiry.settings)
    return list(await asyncio.gather(*(_host(inquiry, host, tls, context) for host in inquiry.settings.hosts)))


async def _host(inquiry: Inquiry, host: Host, tls: Tls, context: ssl.SSLContext) -> CheckResult:
    start = time.monotonic()
    address, _, port = host.reach(inquiry.settings.edge.https_port).rpartition(":")
    least = inquiry.settings.checks.suite.tls.min_days_left
    came, look_at, passed = await asyncio.to_thread(_look, (address, int(port)), tls.server_name, context, least)
    return CheckResult(
        check="tls",
        target=host.name,
        passed=passed,
        asked=f"TLS handshake as {tls.server_name} on port {port}",
        came=came,
        seconds=time.monotonic() - start,
        look_at=look_at,
        dependencies=() if passed else (CERTIFICATE,),
    )


def _look(address: tuple[str, int], name: str, context: ssl.SSLContext, least_days: int) -> tuple[str, str, bool]:
    """Return what came, what to look at, and whether it is good."""
    try:
        shown = shake_hands(address, name, context)
        old = accepts_old_protocol(address, name)
    except ssl.SSLCertVerificationError as error:
        return f"the certificate is refused: {error.verify_message}", SETTING, False
    except ssl.SSLError as error:
        return f"no handshake: {error.reason or type(error).__name__}", f"{SETTING}, and the edge's log", False
    except OSError as error:
        return f"no answer ({type(error).__name__})", "does the edge run? `acp-release status --stack STACK`", False
    if shown.days_left < least_days:
        return f"{shown.days_left:.0f} days are left, {least_days} must be", f"renew {SETTING}", False
    if old:
        return f"the server still accepts {old}", "who ends TLS for this address?", False
    return f"{shown.protocol}, {shown.days_left:.0f} days left", "", True


def shake_hands(address: tuple[str, int], name: str, context: ssl.SSLContext) -> Shown:
    """Return what a server showed; raise `ssl.SSLError` when chain, name or protocol are refused."""
    with (
        socket.create_connection(address, timeout=HANDSHAKE_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        certificate = secured.getpeercert() or {}
        ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        return Shown(protocol=secured.version() or "", days_left=(ends - time.time()) / DAY_SECONDS)


def accepts_old_protocol(address: tuple[str, int], name: str) -> str:
    """Return the protocol older than TLS 1.2 that a server accepts, empty when it refuses them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Only whether the server would speak it matters here; who it is was verified before.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        contextlib.suppress(ssl.SSLError, ConnectionError, TimeoutError),
        socket.create_connection(address, timeout=HANDSHAKE_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        return secured.version() or ""
    return ""
