from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from infra.errors import CheckError, RolloutError
from infra.rollout import witness as module
from infra.rollout.witness import Witness
from tests.support.fake_hostctl import SECRETS, make_stage
from tests.support.settings import make_settings
from tests.unit.rollout.test_resource_watch import HOST, row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GOOD = {"sent": 100, "answered": 100, "failed": 0, "own": 0, "losses": [], "silent_routes": []}
LOSS = {"at": "2026-01-01T00:00:00.000Z", "route": "/ on h1", "reason": "status 503", "milliseconds": 4.5}
REPORT = {"previous": "v1", "checks": [], "timeline": {}, "warnings": []}


@dataclass(slots=True)
class Probe:
    """Stands for the certificate's probe."""

    certificate: dict[str, Any] | None
    ended: int = 0

    def ensure(self) -> None:
        """Run."""

    def require_lossless(self) -> None:
        """See no loss."""

    def end(self) -> dict[str, Any] | None:
        """Give the certificate once."""
        self.ended += 1
        return self.certificate

    def abandon(self) -> None:
        """End."""


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """Return the documents that would have been written."""
    documents: list[Mapping[str, Any]] = []

    def write_report(document: Mapping[str, Any]) -> str:
        documents.append(document)
        return "page.html"

    monkeypatch.setattr(module, "write_report", write_report)
    return documents


def watching(certificate: dict[str, Any] | None, shown: list[str], *, strict: bool = True) -> Witness:
    """Return a witness whose probe ends with this certificate."""
    settings = make_settings(certificate={"fail_on_loss": strict}, secrets={"prefix": "LOCAL_", "names": list(SECRETS)})
    stage = make_stage(settings)
    stage.answer("resources", {"host": HOST, "containers": [row(stage.context.release)]})
    found = Witness(stage.context, shown.append)
    found._certification = Probe(certificate)  # type: ignore[assignment]
    return found


def test_a_released_release_has_certificate_and_resources(written: list[Any], shown: list[str]) -> None:
    """The driver's report gets both, and the page is written and named."""
    with watching(GOOD, shown) as found:
        found.begin()
        found.require_good()
        report = found.released(REPORT)
    assert report["certificate"] == GOOD
    assert report["resources"]["containers"]
    assert report["previous"] == "v1"
    assert (written[0]["outcome"], written[0]["images"].keys()) == ("released", {"acp-ingest", "acp-agents"})
    assert shown == ["report: page.html"]


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ({**GOOD, "failed": 2, "losses": [LOSS]}, "2 of 100 requests of the certificate's probe were lost"),
        ({**GOOD, "silent_routes": ["/ on h1"]}, "no answer came on / on h1"),
        (None, "nobody can say whether its change-over lost a request"),
    ],
    ids=["lost", "silent route", "no certificate"],
)
def test_a_loss_in_the_drain_fails_a_strict_stack(
    certificate: dict[str, Any] | None, words: str, written: list[Any], shown: list[str]
) -> None:
    """The update fails with the evidence, and says that the release serves; a stack that allows losses goes on."""
    with watching(certificate, shown) as found, pytest.raises(CheckError, match=words) as caught:
        found.released(REPORT)
    assert "is committed and serves" in caught.value.what
    release = found._context.release
    assert caught.value.mend.startswith(f"`acp-release report {release} --stack local` shows which")
    assert written[0]["outcome"] == "lossy"
    with watching(certificate, shown, strict=False) as found:
        assert found.released(REPORT)["certificate"] == certificate
    assert written[1]["outcome"] == "released"


def test_the_report_of_a_failure_has_the_reason_without_secrets(written: list[Any], shown: list[str]) -> None:
    """Whatever an error says, no secret value gets into the page."""
    with watching(GOOD, shown) as found:
        found.failed({**REPORT, "warnings": ["s3cr3t-key"]}, RolloutError("no: postgresql://s3cr3t-db said no"))
    assert written[0]["outcome"] == "reverted"
    assert written[0]["reason"] == "no: [redacted] said no"
    assert "s3cr3t" not in str(written[0])


def test_the_probe_is_ended_once(written: list[Any], shown: list[str]) -> None:
    """What was seen is kept: a report after the end does not ask again."""
    found = watching(GOOD, shown)
    with found:
        assert found.seen() == found.seen()
        found.released(REPORT)
    assert found._certification.ended == 1  # type: ignore[attr-defined]


def test_a_page_that_cannot_be_written_fails_nothing(
    shown: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A full disk of the runner is a warning."""

    def full(_document: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_report", full)
    with watching(GOOD, shown) as found:
        assert found.released(REPORT)["certificate"] == GOOD
    assert shown == ["warning: the report could not be written: [Errno 28] No space left on device"]
