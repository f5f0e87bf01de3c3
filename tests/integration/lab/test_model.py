from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.support.lab import Lab

pytestmark = pytest.mark.lab


def _post(lab: Lab, path: str, body: dict[str, Any], key: str) -> httpx.Response:
    url = f"{lab.inventory['environment']['LLM_ENDPOINT']}{path}"
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(url, json=body, headers=headers, timeout=30, trust_env=False)


def test_the_endpoint_wants_its_key(lab: Lab) -> None:
    """Without the derived key there is no answer."""
    assert _post(lab, "/embeddings", {"input": "a"}, "wrong").status_code == 401


def test_the_endpoint_answers_the_same_every_time(lab: Lab) -> None:
    """The same request gives the same answer, chat and embeddings."""
    key = lab.secret("OPENAI_API_KEY")
    chat = {"model": "m", "messages": [{"role": "user", "content": "What rose?"}]}
    for path, body in (("/chat/completions", chat), ("/embeddings", {"input": ["a", "b"]})):
        first, second = _post(lab, path, body, key), _post(lab, path, body, key)
        assert first.status_code == 200
        assert first.json() == second.json()


def test_a_chat_can_be_streamed(lab: Lab) -> None:
    """A streamed answer comes as server-sent events and ends with DONE."""
    body = {"messages": [{"role": "user", "content": "one two"}], "stream": True}
    answer = _post(lab, "/chat/completions", body, lab.secret("OPENAI_API_KEY"))
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize(
    ("path", "body", "status"), [("/embeddings", {}, 400), ("/nothing", {}, 404), ("/chat/completions", {}, 400)]
)
def test_a_bad_request_is_refused_with_a_reason(lab: Lab, path: str, body: dict[str, Any], status: int) -> None:
    """What cannot be answered gets an error in the API's own shape."""
    answer = _post(lab, path, body, lab.secret("OPENAI_API_KEY"))
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
