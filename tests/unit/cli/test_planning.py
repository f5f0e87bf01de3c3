"""`preview`, `apply`, `scan` and `sign` as they are typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters import pulumi_cli
from infra.adapters.plan_file import read_plan
from infra.adapters.pulumi_preview import Preview
from infra.cli import planning
from infra.errors import SettingsError
from tests.support.github_server import github_server
from tests.unit.cli.invoke import call

if TYPE_CHECKING:
    from pathlib import Path


PREVIEW = Preview(release="v2-b", images={"edge": "r/h@sha256:1"}, changes=("acp-ingest v1 → v2",), steps=("update x",))
ASKED = ("ACP_VERSION", "ACP_IMAGE_TAG", "ACP_ROLLBACK_TO", "ACP_APPROVED_RELEASE", "ACP_APPROVED_BY")
HEAD = {"release": "v1-a", "run": "ci-6-1", "last update": "update then succeeded"}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the state of production, which a test may change between two looks."""
    state: dict[str, Any] = {"preview": PREVIEW, "head": HEAD, "commit": "a" * 40, "updates": [], "status": 0}
    state["sources"] = "v2"
    monkeypatch.setattr(planning, "run_preview", lambda stack, environ: state["preview"])
    monkeypatch.setattr(planning, "stack_head", lambda stack: state["head"])
    monkeypatch.setattr(planning, "checkout_commit", lambda root: state["commit"])
    monkeypatch.setattr(planning, "source_state", lambda root, paths: f"{state['sources']} of {', '.join(paths)}")

    def attend(argv: list[str], *, timeout_seconds: float, env: dict[str, str], to_stderr: bool) -> int:
        asked = {name: env[name] for name in ASKED if name in env}
        state["to_stderr"] = to_stderr
        state["updates"].append((argv[:4], asked))
        return int(state["status"])

    monkeypatch.setattr(pulumi_cli, "attend", attend)
    return state


def planned(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a plan for a published tag and return its hash."""
    monkeypatch.setenv("ACP_IMAGE_TAG", "v2")
    done = call("preview", "--stack", "production", "--save", str(path), "--json")
    assert done.exit_code == 0, done.output
    monkeypatch.delenv("ACP_IMAGE_TAG")
    return str(json.loads(done.stdout)["hash"])


class TestPlans:
    """A plan that is approved is applied as it is, or not at all."""

    def test_what_was_approved_is_applied(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The update gets the plan's tag and the only release it may make."""
        expected = planned(tmp_path / "plan.json", monkeypatch)
        done = call("apply", "--stack", "production", "--plan", str(tmp_path / "plan.json"), "--hash", expected)
        assert done.exit_code == 0, done.output
        asked = {"ACP_IMAGE_TAG": "v2", "ACP_APPROVED_RELEASE": "v2-b"}
        assert stack["updates"] == [(["pulumi", "up", "--stack", "production"], asked)]

    @pytest.mark.parametrize(
        ("key", "value", "named"),
        [
            ("commit", "b" * 40, "the commit"),
            ("head", {**HEAD, "last update": "update later failed"}, "the stack's history last update"),
            ("preview", Preview(release="v2-c", images={}, changes=(), steps=()), "the digest of edge"),
        ],
    )
    def test_what_changed_since_is_refused(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: Any, named: str
    ) -> None:
        """Another commit, history, digest or preview ends with exit code 40, its name, and no update."""
        planned(tmp_path / "plan.json", monkeypatch)
        stack[key] = value
        done = call("apply", "--stack", "production", "--plan", str(tmp_path / "plan.json"))
        assert done.exit_code == 40
        assert named in done.output
        assert stack["updates"] == []

    def test_sources_that_changed_since_are_refused(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A build of other sources ends with exit code 40, also where version, commit and preview are the same."""
        path, stack["commit"] = tmp_path / "plan.json", ""
        monkeypatch.setenv("ACP_VERSION", "v2")
        assert call("preview", "--stack", "production", "--save", str(path)).exit_code == 0
        assert set(read_plan(path).built_from) == {"acp-ingest", "acp-agents"}
        assert call("apply", "--stack", "production", "--plan", str(path), "--check").exit_code == 0
        stack["sources"] = "sha256:1"
        done = call("apply", "--stack", "production", "--plan", str(path))
        assert done.exit_code == 40
        assert "the sources of acp-ingest: approved v2 of compose/reference" in done.output
        assert stack["updates"] == []

    def test_sources_do_not_count_for_what_is_not_built(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A published tag is released from its digests, whatever lies in the checkout."""
        planned(tmp_path / "plan.json", monkeypatch)
        assert read_plan(tmp_path / "plan.json").built_from == {}

    def test_an_edited_plan_is_refused(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A plan whose hash is not the approved one is not even compared."""
        path = tmp_path / "plan.json"
        expected = planned(path, monkeypatch)
        path.write_text(path.read_text(encoding="utf-8").replace("v1-a", "v0-0"), encoding="utf-8")
        done = call("apply", "--stack", "production", "--plan", str(path), "--hash", expected)
        assert done.exit_code == 40
        assert "not the plan that was approved" in done.output

    def test_a_plan_for_another_stack_is_refused(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Production's plan is not applied to staging."""
        planned(tmp_path / "plan.json", monkeypatch)
        done = call("apply", "--stack", "staging", "--plan", str(tmp_path / "plan.json"))
        assert done.exit_code == 40
        assert "the plan is for stack production, not for staging" in done.output
        assert stack["updates"] == []

    def test_a_check_applies_nothing(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`--check` only says that the plan holds."""
        planned(tmp_path / "plan.json", monkeypatch)
        done = call("apply", "--stack", "production", "--plan", str(tmp_path / "plan.json"), "--check")
        assert (done.exit_code, stack["updates"]) == (0, [])

    def test_an_update_that_fails_ends_with_its_code(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A reverted rollout makes the command fail."""
        planned(tmp_path / "plan.json", monkeypatch)
        stack["status"] = 255
        done = call("apply", "--stack", "production", "--plan", str(tmp_path / "plan.json"))
        assert (done.exit_code, stack["to_stderr"]) == (60, False)
        assert "what serves: `acp-release status --stack production`" in done.stderr

    def test_with_json_the_update_is_on_standard_error(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A failed update shows its reason there, and standard output is one JSON document."""
        planned(tmp_path / "plan.json", monkeypatch)
        stack["status"] = 255
        done = call("apply", "--stack", "production", "--plan", str(tmp_path / "plan.json"), "--json")
        assert (json.loads(done.stdout)["exit_code"], stack["to_stderr"]) == (60, True)

    def test_a_first_release_has_no_id_yet(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a new stack the id depends on a key that each run draws, so the plan leaves it out."""
        stack["head"] = {"release": "", "run": "", "last update": ""}
        planned(tmp_path / "plan.json", monkeypatch)
        assert read_plan(tmp_path / "plan.json").release == ""

    def test_a_file_that_is_no_plan_names_its_problems(self, tmp_path: Path) -> None:
        """All problems of the file are said."""
        path = tmp_path / "plan.json"
        path.write_text('{"format": 2, "stack": "x", "more": 1}', encoding="utf-8")
        with pytest.raises(SettingsError) as caught:
            read_plan(path)
        assert {"more: unknown key", "commit: Field required"} <= set(caught.value.problems)

    def test_a_preview_edits_its_comment(self, stack: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """Two previews of a pull request leave one comment, with the change and the plan's hash."""
        with github_server() as server:
            for name, value in {**server.environment, "ACP_PULL_REQUEST": "12"}.items():
                monkeypatch.setenv(name, value)
            for _ in range(2):
                done = call("preview", "--stack", "production", "--comment")
                assert done.exit_code == 0, done.output
        (text,) = server.comments.values()
        assert text.startswith("<!-- acp-release preview production -->")
        assert "acp-ingest v1 → v2" in text

    def test_who_approved_is_handed_to_the_record(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The reviewers of this run and Environment are named once each; others and refusals are not."""
        planned(tmp_path / "plan.json", monkeypatch)
        reviews = [
            ("ann", "approved", "production"),
            ("bob", "approved", "staging"),
            ("carl", "rejected", "production"),
            ("ann", "approved", "production"),
        ]
        with github_server() as server:
            server.documents["actions/runs/7/approvals"] = [
                {"state": state, "user": {"login": name}, "environments": [{"name": environment}]}
                for name, state, environment in reviews
            ]
            for name, value in {**server.environment, "GITHUB_RUN_ID": "7"}.items():
                monkeypatch.setenv(name, value)
            done = call("apply", "--stack", "production", "--plan", str(tmp_path / "plan.json"))
        assert done.exit_code == 0, done.output
        assert stack["updates"][0][1]["ACP_APPROVED_BY"] == "ann"

    def test_an_approver_that_cannot_be_asked_for_stops_nothing(
        self, stack: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without GitHub the update is made, and it is said that nobody is named."""
        planned(tmp_path / "plan.json", monkeypatch)
        monkeypatch.setenv("GITHUB_RUN_ID", "7")
        done = call("apply", "--stack", "production", "--plan", str(tmp_path / "plan.json"))
        assert done.exit_code == 0
        assert "who approved this run is not known" in done.output
        assert "ACP_APPROVED_BY" not in stack["updates"][0][1]

    @pytest.mark.parametrize("number", ["", "12; x", "../3"])
    def test_a_pull_request_is_a_number(
        self, stack: dict[str, Any], monkeypatch: pytest.MonkeyPatch, number: str
    ) -> None:
        """Anything else in its place is refused before a request is made."""
        monkeypatch.setenv("ACP_PULL_REQUEST", number)
        with github_server() as server:
            for name, value in server.environment.items():
                monkeypatch.setenv(name, value)
            assert call("preview", "--stack", "production", "--comment").exit_code == 2
        assert server.requests == []

    def test_an_outline_needs_no_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the stack file says is shown with names of secrets, and without any address of a host."""
        done = call("preview", "--stack", "production", "--settings-only")
        assert done.exit_code == 0, done.output
        assert "PRODUCTION_DATABASE_URL" in done.output
        assert "example.com" not in done.output.replace("copilot.example.com", "")


@pytest.mark.parametrize("tag", ["latest", "v1; rm -rf /", "$(id)", "-x", "v1\nv2", "a" * 200])
@pytest.mark.parametrize("command", ["scan", "preview"])
def test_a_bad_tag_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, command: str, tag: str) -> None:
    """A tag that moves or is none ends with exit code 10 and names the variable it came from."""
    monkeypatch.setenv("ACP_IMAGE_TAG", tag)
    done = call(command, "--stack", "staging")
    assert done.exit_code == 10
    assert "with ACP_IMAGE_TAG" in done.output
    assert "image_tag: " in done.output


def test_a_scan_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a tag and a file there is nothing that could pass."""
    monkeypatch.setenv("STAGING_REGISTRY_PASSWORD", "x")
    assert call("scan", "--stack", "staging").exit_code == 2


def test_a_digest_without_a_verdict_is_not_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing asks for a passed scan of exactly that digest."""
    path = tmp_path / "build.json"
    images = {"acp-ingest": f"r.test/acp/acp-ingest@sha256:{'a' * 64}"}
    path.write_text(json.dumps({"image_tag": "v1", "commit": "c", "images": images}), encoding="utf-8")
    monkeypatch.setenv("STAGING_REGISTRY_PASSWORD", "x")
    done = call("sign", "--stack", "staging", "--images", str(path))
    assert done.exit_code == 40
    assert "no passed scan of r.test/acp/acp-ingest" in done.output


@pytest.mark.parametrize("images", ["{}", '{"acp-ingest": "r.test/x:latest"}', '{"x y": "r@sha256:1"}', "[]"])
def test_a_build_file_names_digests_only(tmp_path: Path, images: str) -> None:
    """A file from another job that names a tag, or nothing, is refused with its problems."""
    path = tmp_path / "build.json"
    path.write_text(f'{{"image_tag": "v1", "commit": "c", "images": {images}}}', encoding="utf-8")
    done = call("sign", "--stack", "staging", "--images", str(path))
    assert done.exit_code == 10
    assert "images" in done.output
