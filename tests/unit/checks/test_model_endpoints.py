from __future__ import annotations

from typing import Any

import pytest

from infra.checks.blame import EMBEDDING, LLM, at_fault
from infra.checks.model_endpoints import has_content, is_one_server, is_private
from tests.support.examined import GOOD_MODEL, KEY, failing, run
from tests.support.fake_app import TOLD, FakeApp


@pytest.mark.parametrize(
    ("check", "document", "expected"),
    [
        pytest.param(LLM, {"choices": [{"message": {"content": ""}}]}, True, id="a message"),
        pytest.param(LLM, {"choices": [{"message": {"content": None}}]}, False, id="no message"),
        pytest.param(LLM, {"choices": []}, False, id="no choice"),
        pytest.param(LLM, None, False, id="no answer"),
        pytest.param(EMBEDDING, {"data": [{"embedding": [1, 0.5]}]}, True, id="a vector"),
        pytest.param(EMBEDDING, {"data": [{"embedding": []}]}, False, id="an empty vector"),
        pytest.param(EMBEDDING, {"data": [{"embedding": ["1"]}]}, False, id="a vector of text"),
        pytest.param(EMBEDDING, {"data": [{}]}, False, id="no vector"),
    ],
)
def test_an_answer_has_what_was_asked_for(check: str, document: Any, expected: bool) -> None:
    """A message from the LLM, a vector of numbers from the embedding endpoint."""
    assert has_content(check, document) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8080/v1", True),
        ("http://127.0.0.1/v1", True),
        ("https://10.1.2.3/v1", True),
        ("https://8.8.8.8/v1", False),
        ("https://models.example.test/v1", False),
        ("https://[broken/v1", False),
    ],
)
def test_only_a_private_address_is_asked_past_the_proxy(url: str, expected: bool) -> None:
    """A name may be anywhere, so it is asked as the environment says."""
    assert is_private(url) is expected


@pytest.mark.parametrize(
    ("llm", "embedding", "expected"),
    [
        ("http://a:1/v1", "http://a:1/embed", True),
        ("http://a:1/v1", "http://a:2/v1", False),
        ("http://a:1/v1", "http://b:1/v1", False),
        ("http://a:1/v1", "", False),
        ("http://[broken/v1", "http://[broken/v1", False),
    ],
)
def test_one_server_is_one_place(llm: str, embedding: str, expected: bool) -> None:
    """Host and port of both must be known, and the same."""
    assert is_one_server({"LLM_ENDPOINT": llm, "EMBEDDING_ENDPOINT": embedding}) is expected


class TestModelEndpoints:
    """A real call with the stack's key, or the app's word."""

    ENDPOINTS = ("llm_endpoint", "embedding_endpoint")

    @pytest.mark.parametrize(
        ("status", "document", "came"),
        [
            pytest.param(401, {"error": "key"}, "status 401", id="key refused"),
            pytest.param(500, GOOD_MODEL, "status 500", id="error"),
            pytest.param(200, {"choices": []}, "an answer of another shape", id="empty answer"),
            pytest.param(200, "<html>", "an answer of another shape", id="another server"),
        ],
    )
    def test_a_bad_answer_is_red_whatever_the_app_says(self, status: int, document: Any, came: str) -> None:
        """An endpoint that answers us wrongly is at fault although the app thinks that it is well."""
        found = run(FakeApp(), model=lambda *_: (status, document, {}))
        failed = [result for result in found.results if not result.passed]
        assert {(result.check, result.came) for result in failed} == {(name, came) for name in self.ENDPOINTS}

    def test_an_endpoint_out_of_reach_is_judged_by_the_app(self) -> None:
        """Where only the hosts reach it, the app's word counts, and the result says that nobody asked from here."""
        secrets = {"LLM_ENDPOINT": "http://127.0.0.1:1", "EMBEDDING_ENDPOINT": "http://127.0.0.1:1"}
        found = run(FakeApp(), secrets={**secrets, "OPENAI_API_KEY": KEY})
        told = {r.check: (r.passed, r.came) for r in found.results if r.check in self.ENDPOINTS}
        assert told == dict.fromkeys(self.ENDPOINTS, (True, "no answer (ConnectError); the app says it is well"))

    @pytest.mark.parametrize(
        "missing", [("LLM_ENDPOINT", "EMBEDDING_ENDPOINT"), ("OPENAI_API_KEY",)], ids=["addresses", "key"]
    )
    def test_without_secrets_the_app_is_asked(self, missing: tuple[str, ...]) -> None:
        """On a machine without the addresses, or without the key, the result says so."""
        secrets = {
            "LLM_ENDPOINT": "http://127.0.0.1:1",
            "EMBEDDING_ENDPOINT": "http://127.0.0.1:1",
            "OPENAI_API_KEY": KEY,
        }
        found = run(FakeApp(), secrets={name: value for name, value in secrets.items() if name not in missing})
        came = {r.came for r in found.results if r.check in self.ENDPOINTS}
        assert came == {"not asked from here: its secrets are not set; the app says it is well"}

    @pytest.mark.parametrize(("kept", "red"), [("choices", "embedding_endpoint"), ("data", "llm_endpoint")])
    def test_each_endpoint_is_judged_by_its_own_shape(self, kept: str, red: str) -> None:
        """A message is no vector, and a vector no message."""
        found = run(FakeApp(), model=lambda *_: (200, {kept: GOOD_MODEL[kept]}, {}))
        assert failing(found) == {red}

    def test_an_app_that_does_not_answer_is_no_witness(self) -> None:
        """Where the app that would tell of the endpoints is down, it is the app that failed."""
        found = run(FakeApp(broken={"acp-ingest down"}), secrets={})
        blamed = {name for r in found.results if r.check in self.ENDPOINTS for name in r.dependencies}
        assert blamed == {"acp-ingest"}

    def test_an_endpoint_that_nobody_has_seen_is_red(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When neither we nor the app can tell, that is no pass."""
        monkeypatch.setitem(TOLD, "acp-ingest", ("database",))
        found = run(FakeApp(), secrets={})
        assert failing(found) == set(self.ENDPOINTS)
        assert {r.came.partition("; ")[2] for r in found.results if r.check in self.ENDPOINTS} == {
            "the app says nothing"
        }

    def test_two_servers_are_two_dependencies(self) -> None:
        """Where LLM and embeddings come from different servers, each is named by itself."""
        secrets = {"LLM_ENDPOINT": "http://127.0.0.1:1", "EMBEDDING_ENDPOINT": "http://127.0.0.1:2"}
        found = run(FakeApp(broken={"embedding_endpoint"}), secrets={**secrets, "OPENAI_API_KEY": KEY})
        assert at_fault(found.results) == ["embedding_endpoint"]
