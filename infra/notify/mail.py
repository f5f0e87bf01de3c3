"""A notice by e-mail, through a server that speaks TLS."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from infra.notify.delivery import ANSWER_SECONDS, LOOPBACK, DelayedError, RefusedError

if TYPE_CHECKING:
    from infra.domain.notices.notice import Notice
    from infra.settings.notifications import Channel

PORTS = {"smtps": 465, "smtp": 587}
FIRST_PERMANENT = 500


def send_mail(notice: Notice, channel: Channel, server: str) -> None:
    """Send the notice to all recipients; raise what stands in its way."""
    address, mail = _server(server, channel.secret), message(notice, channel)
    try:
        connection = _connection(address)
        try:
            if address.username:
                connection.login(unquote(address.username), unquote(address.password or ""))
            connection.send_message(mail)
        finally:
            # Whatever the farewell is like, a mail that was taken is not sent again.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.quit()
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusal(min(code for code, _ in error.recipients.values())) from None
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code) from None
    except (smtplib.SMTPException, OSError) as error:
        raise DelayedError(f"no connection to the mail server ({type(error).__name__})") from None


def _refusal(code: int) -> DelayedError | RefusedError:
    """Return what an answer means; of its text nothing is kept, since servers quote what they were told."""
    kind = RefusedError if code >= FIRST_PERMANENT else DelayedError
    return kind(f"mail server answered {code}")


def message(notice: Notice, channel: Channel) -> EmailMessage:
    """Return the mail; its id is the notice's, so that a mailbox shows a repeated one once."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = channel.sender, ", ".join(channel.recipients), notice.title
    mail["Message-ID"] = f"<{notice.id}.{channel.name}@{str(channel.sender).rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    lines = [notice.title, "", *(f"{label}: {value}" for label, value in notice.facts)]
    lines += ["", notice.reason] if notice.reason else []
    lines += ["", *(f"{label}: {url}" for label, url in notice.links.items())] if notice.links else []
    mail.set_content("\n".join(lines) + "\n")
    return mail


def _server(server: str, name: str) -> SplitResult:
    """Return the parts of the server's address; raise `RefusedError` naming the secret when it is none."""
    try:
        address = urlsplit(server)
        complete = address.scheme in PORTS and bool(address.hostname) and address.port != 0
    except ValueError:
        complete = False
    if not complete:
        raise RefusedError(f"{name} is no mail server (`smtps://user:password@host:465`)")
    return address


def _connection(address: SplitResult) -> smtplib.SMTP:
    """Return a connection with TLS; only a server on this machine may do without."""
    host, port = str(address.hostname), address.port or PORTS[address.scheme]
    context = ssl.create_default_context()
    if address.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=ANSWER_SECONDS, context=context)
    connection = smtplib.SMTP(host, port, timeout=ANSWER_SECONDS)
    if not host.startswith(LOOPBACK):
        connection.starttls(context=context)
    return connection
