from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.checks import failing
from infra.checks.blame import at_fault
from infra.checks.occasion import BY_HAND, CANDIDATE, PUBLIC, SMOKE_BY_HAND
from tests.support.examined import run
from tests.support.fake_app import FakeApp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.checks.occasion import Occasion
    from infra.checks.result import CheckResult


class TestSmoke:
    """A user's path."""

    def test_the_whole_path_is_walked_and_cleaned_up(self) -> None:
        """Paste, queue, search and an answer of the agents, and nothing stays behind."""
        app = FakeApp()
        found = run(app, SMOKE_BY_HAND)
        assert [(result.check, result.passed) for result in found.results] == [
            ("smoke paste", True),
            ("smoke ingest", True),
            ("smoke search", True),
            ("smoke agents", True),
        ]
        assert len(app.removed) == 2

    @pytest.mark.parametrize(
        ("broken", "red", "fault"),
        [
            ("paste", "smoke paste", "acp-ingest"),
            ("paste without a job", "smoke paste", "acp-ingest"),
            ("worker", "smoke ingest", "acp-worker"),
            ("jobs fail", "smoke ingest", "acp-worker"),
            ("search", "smoke search", "acp-ingest"),
            ("chroma", "smoke search", "vector_store"),
            ("jobs", "smoke agents", "acp-agents"),
            ("agents fail", "smoke agents", "acp-agents"),
            ("agents hang", "smoke agents", "acp-agents"),
            ("another job", "smoke agents", "acp-agents"),
        ],
    )
    def test_each_step_can_fail(self, broken: str, red: str, fault: str) -> None:
        """The first step that does not work is the one that is red, and it fails the release."""
        found = run(FakeApp(broken={broken}), SMOKE_BY_HAND)
        assert [result.check for result in found.results if result.fails_release] == [red]
        assert at_fault(found.results) == [fault]

    def test_what_has_ended_is_not_waited_for(self) -> None:
        """A document or a job that is done when it is looked at for the first time is looked at once more at most."""
        app = FakeApp()
        run(app, SMOKE_BY_HAND)
        looks = [path for path in app.asked if path.startswith(("GET /api/v1/jobs/", "GET /api/v1/ingest/status/"))]
        assert sorted(looks) == ["GET /api/v1/ingest/status/d0", *["GET /api/v1/jobs/j0"] * 2]

    @pytest.mark.parametrize("what", ["documents", "jobs"])
    def test_what_takes_a_while_is_waited_for(self, what: str) -> None:
        """What is still worked on at the first look is looked at again."""
        found = run(FakeApp(broken={f"{what} take a while"}), SMOKE_BY_HAND)
        assert [str(result) for result in found.results if not result.passed] == []

    @pytest.mark.parametrize(
        ("broken", "path", "looks"),
        [
            pytest.param("status", "GET /api/v1/ingest/status/d0", 1, id="the queue"),
            pytest.param("search", "POST /api/v1/search", 1, id="the search"),
            pytest.param("jobs cannot be read", "GET /api/v1/jobs/j0", 2, id="the agents"),
        ],
    )
    def test_what_only_fails_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch, broken: str, path: str, looks: int
    ) -> None:
        """A service that has failed for its time is not asked until the time of a slow one is over."""
        monkeypatch.setattr(failing, "FAILING_SECONDS", 0.0)
        app = FakeApp(broken={broken})
        found = run(app, SMOKE_BY_HAND)
        assert any(result.fails_release for result in found.results)
        assert app.asked.count(path) == looks

    def test_a_document_that_was_not_taken_is_not_followed(self) -> None:
        """An error is an error, whatever job its answer names."""
        app = FakeApp(broken={"paste fails with a job"})
        run(app, SMOKE_BY_HAND)
        assert [path for path in app.asked if "/ingest/status/" in path] == []

    @pytest.mark.parametrize("occasion", [BY_HAND, SMOKE_BY_HAND], ids=["check", "smoke"])
    def test_what_was_not_taken_is_not_asked_for(self, occasion: Occasion) -> None:
        """Without a job's or a document's id there is nothing to read and nothing to remove."""
        app = FakeApp(broken={"jobs", "paste without a job"})
        run(app, occasion)
        assert [path for path in app.asked if path.endswith("/None")] == []

    def test_what_is_known_is_told_while_the_agents_answer_is_waited_for(self) -> None:
        """Everything but the answer of the agents, before that comes; the rest of the time others may measure."""
        told: list[list[str]] = []
        app = FakeApp(broken={"agents hang"})

        def on_quiet(results: Sequence[CheckResult]) -> None:
            told.append([result.check for result in results])
            app.broken.discard("agents hang")

        found = run(app, SMOKE_BY_HAND, on_quiet=on_quiet)
        assert told == [["smoke paste", "smoke ingest", "smoke search"]]
        assert [result.check for result in found.results if result.fails_release] == []

    def test_the_candidates_job_is_kept_and_asked_for_again(self) -> None:
        """What the candidate's agents answered stays until the public address has shown it, then it is removed."""
        app = FakeApp()
        alone = run(app, CANDIDATE)
        assert alone.jobs == {"h1": "j0"}
        assert not [path for path in app.removed if "jobs" in path]
        public = run(app, PUBLIC, jobs=alone.jobs)
        assert list(app.jobs) == ["j0"]
        assert "DELETE /api/v1/jobs/j0" in app.removed
        assert [r.came for r in public.results if r.check == "smoke agents"] == ["the candidate's answer: completed"]

    def test_a_candidate_that_failed_leaves_no_job(self) -> None:
        """It will not come to the public address: its job is removed with the rest."""
        app = FakeApp(broken={"search"})
        assert run(app, CANDIDATE).jobs == {}
        assert "DELETE /api/v1/jobs/j0" in app.removed

    def test_an_answer_that_the_public_does_not_get_is_red(self) -> None:
        """A job that the candidate answered but the public address does not know fails the release."""
        found = run(FakeApp(), PUBLIC, jobs={"h1": "j0"})
        assert [result.check for result in found.results if result.fails_release] == ["smoke agents"]
