from __future__ import annotations

import email.message
import hashlib
import io
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import pytest

from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.docker import registry
from infra.toolchain.plugins.docker.credentials import Login
from infra.toolchain.plugins.docker.image_name import ImageName

IMAGE = ImageName(registry="r", repository="acp/ingest", reference="v1")
MANIFEST = "https://r/v2/acp/ingest/manifests/v1"
CHALLENGE = 'Bearer realm="https://auth/token",service="r",scope="repository:acp/ingest:pull"'
LOGIN = Login(address="https://r", username="u", password="p")


@dataclass(slots=True)
class Answer(io.BytesIO):
    """One answer of the fake registry."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    def __post_init__(self) -> None:
        io.BytesIO.__init__(self, self.content)


@dataclass(slots=True)
class FakeOpener:
    """Gives the answers in turn, and keeps what it was asked; an unexpected request fails."""

    answers: list[Answer]
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)

    def open(self, request: urllib.request.Request, timeout: float) -> Answer:
        """Answer one request."""
        assert (
            "application/vnd.oci.image.index.v1+json" in request.get_header("Accept", "") or "token" in request.full_url
        )
        self.asked.append((request.get_method(), request.full_url, request.get_header("Authorization")))
        answer = self.answers.pop(0)
        if answer.status == 200:
            return answer
        headers = email.message.Message()
        for name, value in answer.headers.items():
            headers[name] = value
        reason = {401: "Unauthorized", 404: "Not Found", 403: "Forbidden"}[answer.status]
        raise urllib.error.HTTPError(request.full_url, answer.status, reason, headers, io.BytesIO())


def digest(monkeypatch: pytest.MonkeyPatch, opener: FakeOpener, login: Login = LOGIN) -> str:
    """Ask for the image's digest."""

    def make(url: str, *, verify: bool) -> Any:
        return opener

    monkeypatch.setattr(registry, "_opener", make)
    return registry.image_digest(IMAGE, login, verify=True)


def test_basic_login_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One HEAD with the login itself is enough where the registry takes it."""
    opener = FakeOpener([Answer(headers={"Docker-Content-Digest": "sha256:1"})])
    assert digest(monkeypatch, opener) == "sha256:1"
    assert opener.asked == [("HEAD", MANIFEST, LOGIN.basic())]


def test_token_is_fetched_where_the_registry_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Bearer challenge leads to its realm, with the login, and back with the token."""
    token = Answer(content=json.dumps({"access_token": "t"}).encode())
    opener = FakeOpener(
        [Answer(401, {"WWW-Authenticate": CHALLENGE}), token, Answer(headers={"Docker-Content-Digest": "sha256:1"})]
    )
    assert digest(monkeypatch, opener) == "sha256:1"
    realm = "https://auth/token?service=r&scope=repository%3Aacp%2Fingest%3Apull"
    assert opener.asked[1:] == [("GET", realm, LOGIN.basic()), ("HEAD", MANIFEST, "Bearer t")]


def test_anonymous_look_up_sends_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a user name nothing is sent, to the token server neither."""
    token = Answer(content=json.dumps({"token": "t"}).encode())
    opener = FakeOpener(
        [Answer(401, {"WWW-Authenticate": CHALLENGE}), token, Answer(headers={"Docker-Content-Digest": "sha256:1"})]
    )
    digest(monkeypatch, opener, Login(address="https://r"))
    assert [authorization for *_, authorization in opener.asked] == [None, None, "Bearer t"]


def test_digest_is_computed_where_the_registry_sends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the header the manifest itself is fetched and hashed."""
    opener = FakeOpener([Answer(), Answer(content=b"{}")])
    assert digest(monkeypatch, opener) == f"sha256:{hashlib.sha256(b'{}').hexdigest()}"


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ([Answer(401, {"WWW-Authenticate": "Basic realm=x"})], "bad credentials: 401 Unauthorized"),
        ([Answer(404)], "got bad response from registry: 404 Not Found"),
        ([Answer(401, {"WWW-Authenticate": CHALLENGE}), Answer(403)], "got bad response from registry: 403 Forbidden"),
        ([Answer(401, {"WWW-Authenticate": CHALLENGE}), Answer(content=b"{}")], "error unsupported OAuth response"),
        ([Answer(401, {"WWW-Authenticate": CHALLENGE}), Answer(content=b"<")], "error parsing OAuth token response"),
    ],
)
def test_refusals_are_told_in_the_official_words(
    answers: list[Answer], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the registry refused is told with the image's name and the status."""
    with pytest.raises(PluginError, match="Got error when attempting to fetch image version acp/ingest:v1") as caught:
        digest(monkeypatch, FakeOpener(answers))
    assert text in str(caught.value)
