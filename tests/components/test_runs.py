from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra import program
from infra.components.record import RecordProvider
from infra.components.release_rollout import RolloutProvider
from infra.domain.text_form import from_text
from infra.errors import ImageMissingError, SecretMissingError, SettingsError, UsageError
from infra.settings import Settings
from tests.components.conftest import ANSWERS, DIGESTS, REPORT, SECRETS, stack_outputs_of
from tests.support.pulumi_engine import UNKNOWN, unmarked
from tests.support.settings import services, stack_config

if TYPE_CHECKING:
    from tests.components.conftest import Stack
    from tests.support.pulumi_engine import Recording

LOOK_UP = "docker:index/getRegistryImage:getRegistryImage"
RECORD = {"pulumi:pulumi:readStackOutputs", "pulumi:pulumi:readStackResourceOutputs"}


@pytest.fixture(autouse=True)
def _moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each run a moment of its own."""
    moments = iter(f"run-{number}" for number in range(1, 10))
    monkeypatch.setattr(program, "choose_run_id", lambda _environ: next(moments))


class TestPreview:
    """A dry run, where digests of images that would be built are unknown."""

    def test_it_works_with_unknown_digests(self, stack: Stack, recording: Recording) -> None:
        """Everything is declared; what depends on a digest is unknown, and so are release and outputs."""
        previewed = stack.declare(preview=True)
        assert set(previewed.resources) == set(recording.resources)
        for name in ("preflight", "rollout"):
            assert previewed.named(name).inputs["release"] == UNKNOWN
        assert not previewed.exports["release"].known
        assert previewed.named("h1-candidate-start").inputs["create"] == UNKNOWN

    def test_it_says_the_change_in_words(self, stack: Stack, recording: Recording) -> None:
        """Versions are known before anything is built: old and new are shown."""
        before = stack_outputs_of(recording)
        later = stack.bent(version="v1.5.0", environment={"LOG_LEVEL": "DEBUG", "NEW": "1"})
        assert later.declare(preview=True, stack_outputs=before).log == [
            "acp-ingest v1.4.2 → v1.5.0",
            "acp-agents v1.4.2 → v1.5.0",
            "environment + NEW",
            "environment LOG_LEVEL INFO → DEBUG",
        ]

    def test_it_asks_the_registry_only(self, stack: Stack, recording: Recording) -> None:
        """Apart from its own record and pinned tags, a preview asks nobody."""
        invokes = stack.declare(preview=True, stack_outputs=stack_outputs_of(recording)).invokes
        assert {token for token, _ in invokes} == {*RECORD, LOOK_UP}


class TestAgain:
    """A run over a stack that has a release."""

    def test_nothing_to_do_changes_nothing(self, stack: Stack, recording: Recording) -> None:
        """The same release again has the same inputs everywhere but for what is recorded; no provider sees a change."""
        second = stack.declare(stack_outputs=stack_outputs_of(recording))
        assert second.named("rollout").inputs["run_id"] == "run-0"
        for urn, resource in recording.resources.items():
            if resource.name != "record":
                again, inputs = second.resources[urn].inputs, resource.inputs
                if resource.name == "rollout":
                    assert not RolloutProvider().diff("local", inputs, again).changes
                    inputs = {**inputs, "recorded": again["recorded"]}
                assert again == inputs, resource.name
        old, new = (unmarked(run.named("record").inputs) for run in (recording, second))
        assert not RecordProvider().diff("local", old, new).changes
        assert second.log == []

    def test_its_outputs_stay_readable(self, stack: Stack, recording: Recording) -> None:
        """The record's secret key does not make release, history and urls secret, too."""
        second = stack.declare(stack_outputs=stack_outputs_of(recording))
        assert {name for name, export in second.exports.items() if export.secret} == {"fingerprint_key"}

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"environment": {"LOG_LEVEL": "DEBUG"}}, id="environment"),
            pytest.param({"version": "v1.5.0"}, id="version"),
        ],
    )
    def test_a_change_is_another_release_in_a_run_of_its_own(
        self, stack: Stack, recording: Recording, change: dict[str, Any]
    ) -> None:
        """Candidates, rollout and record are changed; hosts are not touched."""
        second = stack.bent(**change).declare(stack_outputs=stack_outputs_of(recording))
        changed = {
            resource.name
            for urn, resource in second.resources.items()
            if resource.inputs != recording.resources[urn].inputs
        }
        assert second.named("rollout").inputs["run_id"] == "run-1"
        assert {"preflight", "rollout", "record", "h1-candidate-start", "h2-candidate-start"} <= changed
        assert not [name for name in changed if "agent" in name.replace("acp-agents", "") or "data" in name]

    def test_the_same_release_after_a_destroy_is_a_run_of_its_own(self, stack: Stack, recording: Recording) -> None:
        """The outputs outlive the hosts where a volume is protected; what is released then is anchored anew."""
        volume = next(urn for urn in recording.resources if "docker:index/volume:Volume" in urn)
        second = stack.declare(stack_outputs=stack_outputs_of(recording), left=[volume])
        assert second.exports["release"].value == recording.exports["release"].value
        assert second.named("rollout").inputs["run_id"] == "run-1"

    def test_a_rotated_secret_is_another_release(self, stack: Stack, recording: Recording) -> None:
        """A new value of a secret gives a new release, said without the value."""
        second = stack.declare(stack_outputs=stack_outputs_of(recording), secrets={"SECRET_KEY": "s3cr3t-rotated"})
        assert second.exports["release"].value != recording.exports["release"].value
        assert second.log == ["secret SECRET_KEY changed"]

    def test_the_key_of_fingerprints_stays(self, stack: Stack, recording: Recording) -> None:
        """The recorded key is used again, otherwise every secret would seem rotated."""
        second = stack.declare(stack_outputs=stack_outputs_of(recording))
        assert second.exports["fingerprint_key"].value == recording.exports["fingerprint_key"].value
        assert len(recording.exports["fingerprint_key"].value) == 64


class TestPublished:
    """A tag that is in the registry already."""

    def test_a_tag_is_resolved_and_not_built(self, stack: Stack) -> None:
        """Every image of the release is looked up under the tag, and its digest used."""
        recording = stack.bent(version=None, image_tag="v1.3.0").declare()
        assert recording.of_type("docker-build:index:Image") == []
        looked_up = [arguments["name"] for token, arguments in recording.invokes if token == LOOK_UP]
        assert "registry.test:5000/acp/acp-ingest:v1.3.0" in looked_up
        assert "registry.test:5000/acp/acp-agents:v1.3.0" in looked_up
        assert recording.exports["images"].value["acp-ingest"].endswith("@sha256:" + "c" * 64)
        assert recording.exports["release"].value.startswith("v1.3.0-")

    def test_a_missing_tag_is_named_before_anything_is_declared(
        self, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error names the reference, and no host has been declared."""
        answer = lambda arguments: (  # noqa: E731
            {"failure": "got bad response from registry: 404 Not Found"}
            if ":v9" in arguments["name"]
            else ANSWERS[LOOK_UP](arguments)
        )
        with pytest.raises(ImageMissingError, match=r"registry\.test:5000/acp/acp-ingest:v9 is not in the registry"):
            stack.bent(version=None, image_tag="v9").declare(answers={LOOK_UP: answer})

    def test_a_pinned_image_is_not_looked_up(self, stack: Stack) -> None:
        """An edge named by digest stays what it is."""
        pinned = "registry.test:5000/library/haproxy@sha256:" + "d" * 64
        recording = stack.bent(edge={"image": pinned}, core=None).declare()
        assert [token for token, _ in recording.invokes if token == LOOK_UP] == []


def test_a_state_with_documents_is_read(stack: Stack) -> None:
    """Where nothing changed, report and entry come as an earlier version of the program recorded them."""
    recorded = {
        "pulumi-python:dynamic/acp:Rollout": lambda _: {"report": REPORT},
        "pulumi-python:dynamic/acp:ReleaseRecord": lambda inputs: {
            "entry": from_text(inputs["entry"]), "history": [], "previous": ""
        },
    }  # fmt: skip
    exports = stack.declare(answers=recorded).exports
    assert exports["release_entry"].value["timeline"] == REPORT["timeline"]
    assert exports["release"].value == exports["release_entry"].value["release"]


class TestRollback:
    """A recorded release, released again."""

    @pytest.fixture
    def outputs(self, stack: Stack, recording: Recording) -> dict[str, Any]:
        """Return the outputs of a stack that had v1.4.2 and has v1.5.0."""
        first = stack_outputs_of(recording)
        second = stack_outputs_of(stack.bent(version="v1.5.0").declare(stack_outputs=first))
        return {**second, "history": [second["release_entry"], first["release_entry"]]}

    def test_it_is_the_recorded_release(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """Id, images and spec are those of the record; nothing is built and the registry is not asked."""
        wanted = outputs["history"][1]
        recording = stack.bent(rollback_to=wanted["release"]).declare(stack_outputs=outputs)
        assert recording.exports["release"].value == wanted["release"]
        assert recording.exports["images"].value == wanted["images"]
        assert from_text(recording.named("rollout").inputs["spec"]) == wanted["spec"]
        assert recording.of_type("docker-build:index:Image") == []
        assert {token for token, _ in recording.invokes} == RECORD

    def test_it_is_a_run_of_its_own(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """Going back verifies again: the run id is new, although the release is an old one."""
        wanted = outputs["history"][1]["release"]
        recording = stack.bent(rollback_to=wanted).declare(stack_outputs=outputs)
        assert recording.named("rollout").inputs["run_id"] == "run-2"

    def test_its_record_keeps_what_the_release_was(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """Commit, settings and limits of then, by whoever goes back, from whichever checkout; and what it replaced."""
        wanted = outputs["history"][1]
        bent = stack.bent(rollback_to=wanted["release"], environment={"LOG_LEVEL": "DEBUG"})
        entry = bent.declare(stack_outputs=outputs).exports["release_entry"].value
        assert entry["summary"]["environment"] == wanted["summary"]["environment"]
        assert (entry["commit"], entry["kind"], entry["replaced"]) == (wanted["commit"], "rollback", outputs["release"])

    def test_what_a_host_has_kept_is_started_by_the_rollout(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """So that little time passes between the first change and the traffic; a release is started beforehand."""
        returning = stack.bent(rollback_to=outputs["history"][1]["release"]).declare(stack_outputs=outputs)
        ordinary = stack.bent(version="v1.6.0").declare(stack_outputs=outputs)
        asked = [json.loads(unmarked(run.named("h1-candidate-start").inputs["stdin"])) for run in (returning, ordinary)]
        assert [request.get("later_if_kept") for request in asked] == [True, None]
        assert all(request["until"] == "started" for request in asked)

    def test_the_gate_is_told_what_is_recorded(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """What may count while the registry is down: the gate's record of that release; nothing for a release."""
        wanted = outputs["history"][1]
        image = wanted["images"]["acp-ingest"]
        wanted["gate"] = {"signed_by": "me", "scans": [{"image": image, "passed": True}]}
        recording = stack.bent(rollback_to=wanted["release"]).declare(stack_outputs=outputs)
        assert recording.named("gate-clearance").inputs["recorded"] == wanted["gate"]
        assert recording.named("gate-acp-ingest").inputs["recorded"] == {"image": image, "passed": True}
        ordinary = stack.bent(version="v1.6.0").declare(stack_outputs=outputs)
        assert not ordinary.named("gate-clearance").inputs["recorded"]

    def test_the_chain_goes_on_from_the_last_anchor(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """The rollout is told where the release before has left it."""
        outputs["release_entry"]["audit"] = {"count": 7, "last": "local-1"}
        recording = stack.bent(version="v1.6.0").declare(stack_outputs=outputs)
        assert recording.named("rollout").inputs["audit"] == {"count": 7, "last": "local-1"}

    @pytest.mark.parametrize("is_told", [True, False], ids=["recorded", "by an earlier version of this program"])
    def test_it_is_judged_as_it_was_released(self, stack: Stack, outputs: dict[str, Any], is_told: bool) -> None:
        """By its own services, where they are reached, and its own images, wherever the stack file has gone since."""
        wanted = outputs["history"][1]
        if not is_told:
            del wanted["settings"]
        today = self.later(stack, rollback_to=wanted["release"])
        recording = today.declare(stack_outputs=outputs)
        assert not today.settings.services.keys() <= stack.settings.services.keys()
        for name in ("preflight", "rollout"):
            judged = Settings.model_validate(from_text(recording.named(name).inputs["settings"]))
            assert judged.services == stack.settings.services
            assert judged.rollout == today.settings.rollout != stack.settings.rollout
        scanned = {scan.name for scan in recording.of_type("pulumi-python:dynamic/acp:Scan")}
        assert scanned == {f"gate-{name}" for name in ("acp-ingest", "acp-agents", "edge", "postgres", "redis")}
        entry = recording.exports["release_entry"].value
        assert entry["settings"] == stack.settings.of_release()
        assert entry["spec"] == wanted["spec"]

    def test_how_the_others_are_asked_is_told(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """The release that is taken back as it is recorded, and any other as the stack file is now."""
        later = self.later(stack, rollback_to=outputs["history"][1]["release"])
        then = stack.settings.of_release()
        both = {"": later.settings.of_release(), outputs["release"]: then}
        self.assert_told(later.declare(stack_outputs=outputs), both)
        moved = stack.bent(services=services(routes={"public_port": 9000}))
        self.assert_told(moved.declare(stack_outputs=outputs), {outputs["release"]: then})
        self.assert_told(stack.bent(version="v1.6.0").declare(stack_outputs=outputs), {})

    @staticmethod
    def assert_told(recording: Recording, expected: dict[str, Any]) -> None:
        """Assert what preflight and rollout are told of other releases, as one text."""
        for name in ("preflight", "rollout"):
            told = recording.named(name).inputs["others"]
            assert isinstance(told, str)
            assert from_text(told) == expected

    def test_the_edge_reaches_both_releases(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """The one that serves until the cutover, and the one that returns."""
        recording = self.later(stack, rollback_to=outputs["history"][1]["release"]).declare(stack_outputs=outputs)
        request = json.loads(unmarked(recording.named("h1-agent-edge").inputs["stdin"]))
        assert request["public_ports"] == [8000, 8001, 9000, 9001]
        assert request["verify_count"] == 6
        install = json.loads(unmarked(recording.named("h1-agent-hostctl").inputs["stdin"]))
        assert install["permit_ports"] == list(range(18000, 18006))

    @staticmethod
    def later(stack: Stack, **changes: Any) -> Stack:
        """Return the stack as its file is now: a port moved, a worker gone, a service and its image added."""
        services = stack.settings.model_dump(mode="json")["services"]
        images = stack.settings.model_dump(mode="json")["images"]
        ingest, agents = services["acp-ingest"], services["acp-agents"]
        moved = {**ingest, "port": 9000, "routes": {"public_port": 9000}, "readiness": {"path": "/readyz"}}
        added = {**agents, "image": "acp-added", "compose_service": "added", "routes": {"public_port": 9001}}
        return stack.bent(
            images={**images, "acp-added": images["acp-agents"]},
            services={"acp-ingest": moved, "acp-agents": agents, "acp-added": added},
            rollout={"keep": 9},
            **changes,
        )

    def test_hosts_keep_their_edge_and_core(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """A rollback of the app changes neither edge nor data services."""
        before = stack.bent(version="v1.5.0").declare(stack_outputs=outputs)
        recording = stack.bent(rollback_to=outputs["history"][1]["release"]).declare(stack_outputs=outputs)
        for name in ("h1-agent-edge", "h1-agent-core", "h2-agent-edge"):
            assert recording.named(name).inputs == before.named(name).inputs

    def test_an_unknown_release_lists_the_known_ones(self, stack: Stack, outputs: dict[str, Any]) -> None:
        """The error names what the record has."""
        with pytest.raises(UsageError) as caught:
            stack.bent(rollback_to="v0-none").declare(stack_outputs=outputs)
        assert caught.value.what == "v0-none is not in this stack's record"
        assert outputs["release"] in caught.value.mend


class TestRefused:
    """What is said before anything is declared."""

    def test_a_missing_key_file_names_its_setting(self, stack: Stack) -> None:
        """A key that cannot be read is an error of the settings."""
        keys = {"setup_key_file": str(stack.root / "setup"), "deploy_key_file": str(stack.root / "nothing")}
        with pytest.raises(SettingsError, match=r"ssh\.deploy_key_file: "):
            stack.bent(ssh=keys).declare()

    def test_a_compose_file_without_the_service_is_named(self, stack: Stack) -> None:
        """A service of the settings that the compose file lacks is named with its path."""
        services = {"acp-ingest": {**stack.settings.services["acp-ingest"].model_dump(), "compose_service": "nothing"}}
        with pytest.raises(
            SettingsError, match=r"services\.acp-ingest\.compose_service: there is no service 'nothing'"
        ):
            stack.bent(services=services).declare()

    def test_a_file_that_is_no_compose_file_is_named(self, stack: Stack) -> None:
        """A compose file that is missing or none is an error that names it."""
        with pytest.raises(SettingsError, match=r"1 problem in compose/nothing\.yaml"):
            stack.bent(compose_file="compose/nothing.yaml").declare()
        with pytest.raises(SettingsError, match="is not a compose file"):
            stack.bent(compose_file="stacks/Pulumi.local.yaml").declare()

    @pytest.fixture
    def undeclared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the program read a stack with data services of its own; it must not come to declare anything."""
        monkeypatch.setattr(program, "start_janitor", lambda: None)
        monkeypatch.setattr(program, "declare", lambda *_: pytest.fail("declared"))
        monkeypatch.setattr(program.pulumi, "get_stack", lambda: "local")

        class Config:
            """Pulumi's configuration."""

            @staticmethod
            def get() -> dict[str, Any]:
                return stack_config(core={})

        monkeypatch.setattr(program.pulumi.runtime.config, "CONFIG", Config)

    @pytest.mark.usefixtures("undeclared")
    def test_missing_secrets_are_named_before_anything_is_declared(self) -> None:
        """The program reads settings and secrets first: without them it registers nothing."""
        with pytest.raises(SecretMissingError) as caught:
            program.main()
        assert len(caught.value.problems) == 9

    @pytest.mark.usefixtures("undeclared")
    def test_a_wrong_address_is_named_before_anything_is_declared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Data services are set up with what the app's addresses say, so these must lead to them."""
        for name, value in {**SECRETS, "REDIS_URL": "redis://:s3cr3t@queue.example.com:6379/0"}.items():
            monkeypatch.setenv(f"LOCAL_{name}", value)
        with pytest.raises(SettingsError, match="LOCAL_REDIS_URL must have the host `redis`") as caught:
            program.main()
        assert len(caught.value.problems) == 1


def test_a_record_has_what_a_rollback_and_an_auditor_need(recording: Recording) -> None:
    """Images by digest, versions, spec, fingerprints, commit, checks and strategy are in the entry."""
    entry = recording.exports["release_entry"].value
    assert entry["images"] == {name: f"registry.test:5000/acp/{name}@{digest}" for name, digest in DIGESTS.items()}
    assert entry["version"] == "v1.4.2"
    assert entry["commit"] == "c" * 40
    assert entry["strategy"] == "blue-green"
    assert entry["spec"]["release"] == entry["release"]
    assert set(entry["platform"]) == {"edge", "postgres", "redis"}
    assert entry["timeline"] == {"committed": 1.5}
