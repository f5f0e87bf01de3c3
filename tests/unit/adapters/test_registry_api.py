from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from infra.adapters.registry_api import RegistryApi
from infra.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST = "sha256:" + "a" * 64


def api(answer: Callable[[httpx.Request], httpx.Response]) -> RegistryApi:
    """Return the API of a registry that answers from a function."""
    client = httpx.Client(base_url="https://registry.test", transport=httpx.MockTransport(answer))
    return RegistryApi(server="registry.test", username="acp", password="s3cr3t", client=client)


@pytest.mark.parametrize(("status", "answers"), [(200, True), (401, True), (404, True), (503, False)])
def test_a_registry_that_refuses_is_there(status: int, *, answers: bool) -> None:
    """Only a failing one, or nobody, does not answer."""
    assert api(lambda _: httpx.Response(status)).answers() is answers


def test_a_connection_that_fails_is_no_answer() -> None:
    """And an error with a mend where an answer is needed."""

    def fail(_request: httpx.Request) -> httpx.Response:
        msg = "refused"
        raise httpx.ConnectError(msg)

    assert not api(fail).answers()
    with pytest.raises(RegistryError, match="did not answer: ConnectError"):
        api(fail).has("acp/a", DIGEST)


def test_digests_and_tags_are_asked_for_with_the_login() -> None:
    """By the paths of the distribution API."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        assert request.headers["Authorization"].startswith("Basic ")
        if request.url.path.endswith("/tags/list"):
            return httpx.Response(200, json={"tags": ["v1"]})
        found = request.url.path.endswith((DIGEST, "/v1"))
        return httpx.Response(200 if found else 404, headers={"Docker-Content-Digest": DIGEST})

    with api(answer) as registry:
        assert registry.has("acp/a", DIGEST)
        assert not registry.has("acp/a", "sha256:0")
        assert registry.tags("acp/a") == ["v1"]
        assert registry.digest("acp/a", "v1") == DIGEST
        assert registry.digest("acp/a", "v2") == ""
    assert asked[0] == f"HEAD /v2/acp/a/manifests/{DIGEST}"


def test_a_token_is_fetched_where_one_is_asked_for() -> None:
    """The challenge says where, the scope says what for."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.test":
            assert dict(request.url.params) == {"service": "registry", "scope": "repository:acp/a:pull,delete"}
            return httpx.Response(200, json={"token": "t0ken"})
        if request.headers["Authorization"] != "Bearer t0ken":
            challenge = 'Bearer realm="https://auth.test/token",service="registry"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        return httpx.Response(202)

    api(answer).delete("acp/a", DIGEST)


@pytest.mark.parametrize(("status", "text"), [(405, "was not removed: the registry answered 405"), (403, "refused")])
def test_a_deletion_that_is_refused_is_an_error(status: int, text: str) -> None:
    """With what to look at."""
    with pytest.raises(RegistryError, match=text) as caught:
        api(lambda _: httpx.Response(status)).delete("acp/a", DIGEST)
    assert caught.value.mend


def test_the_password_is_not_shown() -> None:
    """Not even where the object is."""
    assert "s3cr3t" not in repr(api(lambda _: httpx.Response(200)))
