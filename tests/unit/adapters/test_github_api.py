from __future__ import annotations

import pytest

from infra.adapters.github_api import GitHub
from infra.errors import ToolError, UsageError
from tests.support.github_server import TOKEN, github_server

MARKER = "acp-release preview staging"


def test_a_preview_is_one_comment_that_is_edited() -> None:
    """The second preview of a stack replaces the first; another stack's and a person's comment stay."""
    with github_server() as server:
        server.comments = {1: f"I say <!-- {MARKER} -->", 2: "<!-- acp-release preview production -->\nold"}
        github = GitHub.from_environment(server.environment)
        for body in ("first", "second"):
            github.comment(pull_request=7, marker=MARKER, body=body)
    assert server.comments == {
        1: f"I say <!-- {MARKER} -->",
        2: "<!-- acp-release preview production -->\nold",
        3: f"<!-- {MARKER} -->\nsecond",
    }


def test_the_own_comment_is_found_on_a_later_page() -> None:
    """A pull request with more comments than a page still gets one preview."""
    with github_server() as server:
        server.comments = dict.fromkeys(range(1, 150), "a word") | {150: f"<!-- {MARKER} -->\nfirst"}
        GitHub.from_environment(server.environment).comment(pull_request=7, marker=MARKER, body="second")
    assert server.comments[150] == f"<!-- {MARKER} -->\nsecond"
    assert len(server.comments) == 150


def test_a_refusal_names_address_and_mend_but_not_the_token() -> None:
    """What GitHub refuses is an error with the address, without the token."""
    with github_server() as server:
        github = GitHub.from_environment({**server.environment, "GITHUB_TOKEN": "wrong-token"})
        with pytest.raises(ToolError, match="status 401") as caught:
            github.get("actions/permissions")
    assert "permission" in caught.value.mend
    assert "wrong-token" not in str(caught.value) + repr(github)


def test_what_is_not_there_is_none() -> None:
    """A setting that does not exist is no error."""
    with github_server() as server:
        assert GitHub.from_environment(server.environment).get("environments/production") is None


def test_a_server_that_is_down_is_an_error() -> None:
    """A connection that fails ends with a message, not with a traceback."""
    with github_server() as server:
        environment = server.environment
    with pytest.raises(ToolError, match="did not answer"):
        GitHub.from_environment(environment).get("actions/permissions")


@pytest.mark.parametrize(
    ("environment", "missing"),
    [({"GITHUB_REPOSITORY": "a/b"}, "GITHUB_TOKEN"), ({"GITHUB_TOKEN": TOKEN}, "GITHUB_REPOSITORY")],
)
def test_what_the_environment_lacks_is_named(environment: dict[str, str], missing: str) -> None:
    """Without token or repository the error names the variable."""
    with pytest.raises(UsageError, match=missing):
        GitHub.from_environment(environment)
