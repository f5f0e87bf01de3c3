from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra.checks.ask import Answer
from infra.checks.occasion import Occasion
from infra.checks.suite import examine
from infra.checks.version import differences
from infra.domain.naming import tag_of
from tests.support.fake_app import RELEASE, answering
from tests.support.subject import make_subject, quick_settings

VERSION = RELEASE.rpartition("-")[0]
OTHER = "v1.4.1-00000000"
ASKED = Occasion(checks=("version",))


def told(header: str | None = RELEASE, *, status: int = 200, **document: Any) -> Answer:
    """Return what an address tells: the release in its header, and a JSON object."""
    headers = {"x-acp-release": header} if header else {}
    return Answer(asked="a", seconds=0.1, status=status, headers=headers, document=document)


GOOD = told(version=VERSION, release=RELEASE)


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        pytest.param(GOOD, [], id="all the same"),
        pytest.param(told(), [], id="tells no version of its own"),
        pytest.param(
            told(OTHER, version=VERSION), [f"answered by release {OTHER}, not {RELEASE}"], id="another header"
        ),
        pytest.param(told(None, version=VERSION), [f"answered by release None, not {RELEASE}"], id="no header"),
        pytest.param(told(version="v9"), [f"the app says version v9, not {VERSION}"], id="another version"),
        pytest.param(told(release=OTHER), [f"the app says release {OTHER}, not {RELEASE}"], id="another release told"),
        pytest.param(told(status=500, version="v9", release=OTHER), [], id="an error tells nothing"),
    ],
)
def test_every_answer_must_tell_the_same(health: Answer, expected: list[str]) -> None:
    """Header, release and version of both answers count, where they are told."""
    assert differences((GOOD, health), RELEASE, compares_version=True) == expected
    assert differences((health, GOOD), RELEASE, compares_version=True) == expected


def test_a_version_that_nobody_tells_has_not_been_verified() -> None:
    """Unless the stack says that only the release id counts."""
    assert differences((told(), told()), RELEASE, compares_version=True) == [
        "the app tells no version on /version or its health"
    ]
    assert differences((told(), told(version="v9")), RELEASE, compares_version=False) == []


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("1.4.2", "v1.4.2-00000000"),
        ("v1.4.2", "1.4.2-00000000"),
        ("v1.4.2", "v1.4.2-00000000"),
        (f"1.4.2+{'a' * 40}", f"{tag_of('v1.4.2+' + 'a' * 40)}-00000000"),
        (f"v1.4.2+{'a' * 40}", f"{tag_of('1.4.2+' + 'a' * 40)}-00000000"),
    ],
)
def test_a_leading_v_does_not_count(version: str, release: str) -> None:
    """An app that calls itself 1.4.2 is v1.4.2, and the other way round, also where a tag ends early."""
    answer = told(release, version=version)
    assert differences((answer, answer), release, compares_version=True) == []


@pytest.mark.parametrize("version", ["1.4.3", "1.4.2v", "V1.4.2", "1.4", "v"])
def test_only_a_leading_v_does_not_count(version: str) -> None:
    """Whatever else differs is another version."""
    answer = told("v1.4.2-00000000", version=version)
    assert differences((answer, answer), "v1.4.2-00000000", compares_version=True) != []


@pytest.mark.parametrize(
    ("header", "document", "expected"),
    [
        (RELEASE, {"version": "v9"}, "`suite.version.compare_version: false` in `acp:checks`"),
        (RELEASE, {}, "`@VERSION@` in the compose file"),
        (OTHER, {"version": VERSION}, "which release does the host serve?"),
        (OTHER, {"version": "v9"}, "which release does the host serve?"),
    ],
)
def test_a_failure_says_where_to_look(header: str, document: dict[str, str], expected: str) -> None:
    """At what the app tells where only its version is another, and at the host where the release is."""

    def answer(_method: str, _path: str, _body: Any) -> tuple[int, Any, dict[str, str]]:
        return 200, {"status": "healthy", **document}, {"X-ACP-Release": header}

    with answering(answer) as port:
        subject = make_subject(quick_settings({"acp-ingest": port, "acp-agents": port}))
        found = examine(replace(subject, targets=subject.targets[:1]), ASKED).results
    assert [expected in result.look_at for result in found] == [True]


def test_without_a_wanted_release_the_answers_must_agree() -> None:
    """Whatever serves is good, but it is one release, and it says which."""
    assert differences((told(OTHER), told(OTHER)), None, compares_version=False) == []
    assert differences((told(OTHER, version="v1.4.1"), told(OTHER)), None, compares_version=True) == []
    assert differences((told(OTHER), told()), None, compares_version=False) == [
        f"answered by release {RELEASE}, not {OTHER}"
    ]
    assert differences((told(None), told(None)), None, compares_version=True) == ["answered by release None, not None"]


@pytest.mark.parametrize("silent", ["/version", "/health", "both"])
def test_nobodys_answer_is_the_services_fault(silent: str) -> None:
    """A service that does not answer one of the questions has failed; its release is not the question."""

    def answer(_method: str, path: str, _body: Any) -> tuple[int, Any, dict[str, str]]:
        if silent in {path, "both"}:
            raise ConnectionAbortedError
        return 200, {"status": "healthy", "version": VERSION}, {"X-ACP-Release": RELEASE}

    with answering(answer) as port:
        subject = make_subject(quick_settings({"acp-ingest": port, "acp-agents": port}))
        targets = [target for target in subject.targets if target.service_name == "acp-ingest"]
        (found,) = examine(replace(subject, targets=targets), ASKED).results
    assert (found.passed, found.dependencies) == (False, ("acp-ingest",))
