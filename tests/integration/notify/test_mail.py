from __future__ import annotations

import contextlib
import email
import socketserver
import threading
from email.policy import default
from typing import TYPE_CHECKING

import pytest

from infra.notify.delivery import DelayedError, RefusedError
from infra.notify.mail import send_mail
from infra.settings.notifications import Channel
from tests.support.notices import HOSTILE, channel, make_notice
from tests.support.vendors import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANNEL = Channel.model_validate(channel("email", recipients=["a@example.org", "b@example.org"]))


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server on a loopback port that keeps what it gets and answers recipients with `code`."""

    daemon_threads = True

    def __init__(self, code: int) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Session)
        self.code = code
        self.recipients: list[str] = []
        self.mails: list[str] = []


class Session(socketserver.StreamRequestHandler):
    """One conversation."""

    server: MailServer

    def handle(self) -> None:
        """Answer until the client says QUIT, and hang up then without a word."""
        self._say("220 test")
        for raw in self.rfile:
            word = raw.decode().strip().upper()
            if word.startswith("RCPT"):
                self.server.recipients.append(word.partition(":")[2].lower())
                self._say(f"{self.server.code} planted-secret in the answer")
            elif word == "DATA":
                self._say("354 go on")
                self.server.mails.append(self._read())
                self._say("250 kept")
            elif word == "QUIT":
                return
            else:
                self._say("250 ok")

    def _read(self) -> str:
        lines: list[bytes] = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line)
        return b"".join(lines).decode()

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextlib.contextmanager
def mail_server(code: int = 250) -> Iterator[MailServer]:
    """Serve while the context is open."""
    with MailServer(code) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(timeout=5)


def address(server: MailServer) -> str:
    """Return the server's address as the secret has it."""
    return f"smtp://127.0.0.1:{server.server_address[1]}"


def test_a_mail_arrives_at_everybody() -> None:
    """Subject, recipients and text are there, and hostile text stays within its line."""
    with mail_server() as server:
        send_mail(make_notice(reason="why", who="a b"), CHANNEL, address(server))
    assert server.recipients == ["<a@example.org>", "<b@example.org>"]
    mail = email.message_from_string(server.mails[0], policy=default)
    assert mail["Subject"] == "production: v1.4.2 is verified and serves"
    assert "By: a b" in mail.get_content()
    assert mail["Bcc"] is None


def test_a_header_cannot_be_injected() -> None:
    """A version with a line end is refused by the mail library, were one to come that far."""
    with pytest.raises(ValueError, match="linefeed"):
        send_mail(make_notice(version=f"v1\r\nBcc: {HOSTILE}"), CHANNEL, "smtp://127.0.0.1:1")


@pytest.mark.parametrize(("code", "error"), [(450, DelayedError), (550, RefusedError)])
def test_refused_recipients_are_said_without_the_servers_words(code: int, error: type[Exception]) -> None:
    """Servers quote what they were told, so only what it means is kept."""
    with mail_server(code) as server, pytest.raises(error) as caught:
        send_mail(make_notice(), CHANNEL, address(server))
    assert "planted" not in str(caught.value)


def test_a_server_that_is_down_is_tried_again() -> None:
    """No connection passes."""
    with pytest.raises(DelayedError, match="no connection to the mail server"):
        send_mail(make_notice(), CHANNEL, f"smtp://user:planted@127.0.0.1:{free_port()}")


@pytest.mark.parametrize("server", ["", "mail.example", "https://mail.example", "smtps://", "smtps://x:planted"])
def test_another_address_is_refused_by_the_name_of_its_secret(server: str) -> None:
    """The error shows the form and names the variable, not its value."""
    with pytest.raises(RefusedError, match="EMAIL_TARGET is no mail server") as caught:
        send_mail(make_notice(), CHANNEL, server)
    assert "planted" not in str(caught.value)
