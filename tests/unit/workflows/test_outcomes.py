from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.workflow.fakes import FakeRun

if TYPE_CHECKING:
    from pathlib import Path

DELIVER = "acp-release notifications --stack staging --resend"
JOBS = ("build", "scan", "sign", "staging", "performance", "plan", "production", "documentation", "notifications")
ROLLBACK = "Roll back unless the hosts did"


def outcomes(**changed: str) -> dict[str, str]:
    """Return how every job ends, `success` unless said otherwise; notifications only tell of failures elsewhere."""
    return {**dict.fromkeys(JOBS, "success"), "notifications": "skipped", **changed}


def skipped(*names: str) -> dict[str, str]:
    """Return these jobs as skipped."""
    return dict.fromkeys(names, "skipped")


def told(fake: FakeRun, stack: str) -> bool:
    """Return whether the deploy job told of its own failure, and delivered it before its runner went."""
    failed = f"acp-release notify --stack {stack} --event failed --reason a step of the deploy job failed"
    delivered = f"acp-release notifications --stack {stack} --resend"
    return failed in fake.commands and delivered in fake.commands[fake.commands.index(failed) :]


def test_a_push_to_main_goes_to_staging(tmp_path: Path) -> None:
    """A push builds, scans, signs, deploys to staging and measures it, and asks nobody."""
    fake = FakeRun(folder=tmp_path)
    result = fake.run()
    assert result.outcomes == outcomes(**skipped("plan", "production")), str(result)
    assert not [line for line in fake.commands if "--stack production" in line]
    assert fake.commands == [
        "acp-release build --stack staging --save reports/build.json",
        "acp-release scan --stack staging",
        "acp-release sign --stack staging --images reports/build.json --hash 5a1e",
        "acp-release install-keys --stack staging",
        "pulumi up --stack staging --yes --skip-preview --suppress-outputs",
        "acp-release check --stack staging",
        "acp-release smoke --stack staging",
        DELIVER,
        "acp-release load --stack staging --profile load",
        "acp-release install-keys --stack staging --key deploy",
        "acp-release docs --stack staging --output reports/docs --summary",
    ]


def test_production_gets_what_staging_ran(tmp_path: Path) -> None:
    """A dispatch to production passes staging first and applies the approved plan by its hash, with the built tag."""
    fake = FakeRun(folder=tmp_path)
    result = fake.run(environment="production")
    assert result.outcomes == outcomes(), str(result)
    assert "acp-release apply --stack production --plan reports/plan.json --hash 0f3a" in fake.commands
    updates = [call for call in fake.calls if call["argv"][:2] in (["pulumi", "up"], ["acp-release", "apply"])]
    assert [call["env"]["ACP_IMAGE_TAG"] for call in updates] == ["v1.4.2", "v1.4.2"]
    assert [line for line in fake.commands if "--event" in line] == [
        "acp-release notify --stack production --event waiting --reason the preview is in the summary of this run"
    ]


def test_what_follows_a_build_is_bound_to_it(tmp_path: Path) -> None:
    """Staging's update and production's plan have the file of this run's build, and its hash from the build job."""
    fake = FakeRun(folder=tmp_path)
    fake.run(environment="production")
    bound = [call for call in fake.calls if call["env"].get("ACP_BUILD_FILE")]
    assert [" ".join(call["argv"][:2]) for call in bound] == ["pulumi up", "acp-release preview"]
    assert {(call["env"]["ACP_BUILD_FILE"], call["env"]["ACP_BUILD_HASH"]) for call in bound} == {BUILD}
    for job in ("staging", "plan"):
        (folder,) = (tmp_path / "jobs").glob(f"??-{job}")
        assert (folder / "workspace" / BUILD[0]).exists()


BUILD = ("reports/build.json", "5a1e")


def test_a_hash_that_got_lost_is_seen(tmp_path: Path) -> None:
    """Without the build's output the file is named all the same, so that the update refuses it, and so does sign."""
    lost = {"acp-release build": {"outputs": {"image_tag": "v1.4.2"}, "files": {"reports/build.json": "{}"}}}
    fake = FakeRun(folder=tmp_path, answers=lost)
    fake.run()
    (update,) = [call for call in fake.calls if call["argv"][:2] == ["pulumi", "up"]]
    assert (update["env"]["ACP_BUILD_FILE"], update["env"]["ACP_BUILD_HASH"]) == (BUILD[0], "")
    (sign,) = [call["argv"] for call in fake.calls if call["argv"][1] == "sign"]
    assert sign[-2:] == ["--hash", ""]


def test_a_scan_that_blocks_ends_the_run(tmp_path: Path) -> None:
    """After a blocked scan nothing is signed and no stack is touched; its SARIF is shown, and the failure is told."""
    blocked = {"acp-release scan": {"status": 40, "files": {"reports/gate/s/i/scan.sarif": SARIF}}}
    fake = FakeRun(folder=tmp_path, answers=blocked)
    result = fake.run(environment="production")
    rest = skipped("sign", "staging", "performance", "plan", "production", "documentation")
    assert result.outcomes == outcomes(scan="failure", **rest, notifications="success"), str(result)
    assert result.jobs["scan"].step("Show the findings under code scanning").outcome == "success"
    assert not [line for line in fake.commands if line.startswith("pulumi") or "install-keys" in line]


SARIF = '{"version": "2.1.0", "runs": [{"automationDetails": {"id": "trivy/i"}}]}'


def test_a_failed_smoke_rolls_staging_back(tmp_path: Path) -> None:
    """When staging's smoke test fails the same job rolls back, and production is not even planned."""
    fake = FakeRun(folder=tmp_path, answers={"acp-release smoke": {"status": 50}})
    result = fake.run(environment="production")
    rest = skipped("performance", "plan", "production")
    assert result.outcomes == outcomes(staging="failure", **rest), str(result)
    assert told(fake, "staging")
    assert result.jobs["staging"].step(ROLLBACK).outcome == "success"
    assert "acp-release rollback --stack staging --if-needed --yes" in fake.commands


def test_a_slow_release_does_not_reach_production(tmp_path: Path) -> None:
    """A failed performance test on staging ends the way to production."""
    result = FakeRun(folder=tmp_path, answers={"acp-release load": {"status": 50}}).run(environment="production")
    rest = skipped("plan", "production")
    assert result.outcomes == outcomes(performance="failure", **rest, notifications="success"), str(result)


@pytest.mark.parametrize("job", ["build", "scan", "sign", "staging", "performance", "plan"])
def test_a_cancelled_job_lets_nothing_through(tmp_path: Path, job: str) -> None:
    """A job that was pushed out of its queue or ran out of time passed nothing: no later stack is touched."""
    fake = FakeRun(folder=tmp_path, cancelled=frozenset({job}))
    result = fake.run(environment="production")
    way = ("build", "scan", "sign", "staging", "performance", "plan", "production")
    after = way[way.index(job) + 1 :]
    assert {name: result.outcomes[name] for name in (job, *after)} == {job: "cancelled", **skipped(*after)}, str(result)
    assert not [line for line in fake.commands if "apply" in line]
    assert result.outcomes["notifications"] == "success"


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_published_tag_whose_scan_was_cancelled_is_not_released(tmp_path: Path, environment: str) -> None:
    """What a run with a tag leaves out on purpose is no leave for what it must do."""
    fake = FakeRun(folder=tmp_path, cancelled=frozenset({"scan"}))
    result = fake.run(environment=environment, image_tag="v1.3.0")
    rest = skipped("build", "sign", "staging", "performance", "plan", "production", "documentation")
    assert result.outcomes == outcomes(scan="cancelled", **rest, notifications="success"), str(result)


def test_production_that_is_not_approved_is_not_touched(tmp_path: Path) -> None:
    """When the reviewers refuse, no step of the production job runs."""
    fake = FakeRun(folder=tmp_path, rejected=frozenset({"production"}))
    result = fake.run(environment="production")
    assert result.outcomes == outcomes(production="failure", notifications="success"), str(result)
    assert result.jobs["production"].steps == []
    assert not [line for line in fake.commands if "apply" in line]


def test_what_changed_after_the_approval_is_not_applied(tmp_path: Path) -> None:
    """A plan that no longer holds fails the job, and the rollback step is asked and finds nothing to do."""
    refused = {"acp-release apply": {"status": 40, "says": "what was approved is not what would be applied"}}
    fake = FakeRun(folder=tmp_path, answers=refused)
    result = fake.run(environment="production")
    assert result.outcomes == outcomes(production="failure"), str(result)
    assert told(fake, "production")
    assert "not what would be applied" in result.jobs["production"].step("Release what was approved").log
    assert result.jobs["production"].step("Smoke").outcome == "skipped"


def test_a_reverted_release_asks_the_hosts(tmp_path: Path) -> None:
    """When the update itself reverts, the job's last step asks whether the hosts went back."""
    fake = FakeRun(folder=tmp_path, answers={"pulumi up staging": {"status": 255}})
    result = fake.run()
    rest = skipped("performance", "plan", "production")
    assert result.outcomes == outcomes(staging="failure", **rest), str(result)
    assert told(fake, "staging")
    assert result.jobs["staging"].step("Health").outcome == "skipped"
    assert result.jobs["staging"].step(ROLLBACK).outcome == "success"


@pytest.mark.parametrize(
    ("environment", "left_out"), [("staging", ("plan", "production")), ("production", ("staging", "performance"))]
)
def test_a_published_tag_is_not_built_again(tmp_path: Path, environment: str, left_out: tuple[str, ...]) -> None:
    """With `image_tag` nothing is built or signed; the tag is scanned and goes straight to the environment."""
    fake = FakeRun(folder=tmp_path)
    result = fake.run(environment=environment, image_tag="v1.3.0")
    assert result.outcomes == outcomes(**skipped("build", "sign", *left_out)), str(result)
    used = {call["env"].get("ACP_IMAGE_TAG") for call in fake.calls if call["argv"][1] in {"scan", "up", "apply"}}
    assert used == {"v1.3.0"}
    assert {call["env"].get("ACP_BUILD_FILE") or "" for call in fake.calls} == {""}


@pytest.mark.parametrize("tag", ["latest", "v1; rm -rf /", "v1\nimage_tag=v2"])
def test_a_bad_tag_ends_the_run_at_its_first_step(tmp_path: Path, tag: str) -> None:
    """A tag that could move or do harm reaches the program only as a value, which refuses it; nothing else runs."""
    fake = FakeRun(folder=tmp_path, real=frozenset({"acp-release scan"}))
    result = fake.run(environment="staging", image_tag=tag)
    rest = skipped("build", "sign", "staging", "performance", "plan", "production", "documentation")
    assert result.outcomes == outcomes(scan="failure", **rest, notifications="success"), str(result)
    log = result.jobs["scan"].step("Scan and judge").log
    assert "ACP_IMAGE_TAG" in log
    assert "exit status 10" in log


def test_an_environment_that_is_no_choice_is_refused(tmp_path: Path) -> None:
    """GitHub itself refuses another environment than the two."""
    with pytest.raises(AssertionError, match="no choice"):
        FakeRun(folder=tmp_path).run(environment="elsewhere")


def test_no_log_shows_a_secret(tmp_path: Path) -> None:
    """A program that prints a secret is masked, and the harness says that it did."""
    says = {"acp-release check": {"says": "value of STAGING_DATABASE_URL"}}
    result = FakeRun(folder=tmp_path, answers=says).run()
    assert result.leaks == {"STAGING_DATABASE_URL"}
    assert "STAGING_DATABASE_URL" not in result.jobs["staging"].step("Health").log


def test_the_scan_has_nothing_worth_stealing(tmp_path: Path) -> None:
    """Of all secrets the scanning job sees the run's own token alone."""
    fake = FakeRun(folder=tmp_path)
    fake.run(environment="production")
    (scan,) = [call for call in fake.calls if call["argv"][1] == "scan"]
    values = " ".join(scan["env"].values())
    assert "value of" not in values
    assert scan["env"]["STAGING_REGISTRY_PASSWORD"] == "token of the run"


REGISTRY = ("STAGING_REGISTRY_PASSWORD", "PRODUCTION_REGISTRY_PASSWORD")


def test_a_registry_of_ones_own_gets_its_own_password(tmp_path: Path) -> None:
    """Where an Environment has a password, its jobs log in with that, and with the run's token where it has none."""
    names = {"registry": REGISTRY[0], "staging": REGISTRY[0], "production-preview": REGISTRY[1]}
    secrets = {environment: {name: f"of {environment}"} for environment, name in names.items()}
    fake = FakeRun(folder=tmp_path, secrets=secrets)
    fake.run(environment="production")
    given = {
        " ".join(call["argv"][:2]): next(call["env"][name] for name in REGISTRY if name in call["env"])
        for call in fake.calls
        if call["argv"][1] in {"build", "scan", "sign", "up", "preview", "apply"}
    }
    assert given == {
        **dict.fromkeys(("acp-release build", "acp-release scan", "acp-release sign"), "of registry"),
        "pulumi up": "of staging",
        "acp-release preview": "of production-preview",
        "acp-release apply": "token of the run",
    }


def test_a_job_that_only_looks_has_no_key_that_changes_a_host(tmp_path: Path) -> None:
    """Load, documentation and drift see neither the setup key nor what the app is given."""
    calls = []
    for name, inputs in (("deploy.yml", {"environment": "production"}), ("drift.yml", {})):
        fake = FakeRun(folder=tmp_path / name)
        fake.run(name, **inputs)
        calls += [call for call in fake.calls if call["argv"][1] in {"load", "docs", "status"}]
    seen = {value for call in calls for value in call["env"].values() if value.startswith("value of")}
    assert len(calls) == 4
    keys = {f"value of {stack}_DEPLOY_SSH_KEY" for stack in ("STAGING", "PRODUCTION")}
    assert seen == {"value of PULUMI_CONFIG_PASSPHRASE", *keys}


@pytest.mark.parametrize(("release", "stack"), [("", "staging"), ("v1.4.1-1a2b3c4d", "production")])
def test_a_rollback_by_hand(tmp_path: Path, release: str, stack: str) -> None:
    """The rollback workflow goes back on the named stack only, to the named release or the one before."""
    fake = FakeRun(folder=tmp_path)
    result = fake.run("rollback.yml", environment=stack, release=release)
    assert result.outcomes == {s: "success" if s == stack else "skipped" for s in ("staging", "production")}
    assert f"acp-release rollback --stack {stack} --to {release} --yes" in fake.commands
    assert not [line for line in fake.commands if "--event" in line]


@pytest.mark.parametrize("command", ["install-keys", "rollback", "check"])
def test_a_rollback_that_fails_is_told(tmp_path: Path, command: str) -> None:
    """Refused before the update, or bad after it: people are told, and it is delivered before the runner goes."""
    fake = FakeRun(folder=tmp_path, answers={f"acp-release {command}": {"status": 20}})
    result = fake.run("rollback.yml", environment="production", release="")
    assert result.outcomes["production"] == "failure"
    assert fake.commands[-2:] == [
        "acp-release notify --stack production --event failed --reason the rollback job failed, or was cancelled",
        "acp-release notifications --stack production --resend",
    ]


@pytest.mark.parametrize("fork", [False, True])
def test_a_fork_gets_no_secret(tmp_path: Path, fork: bool) -> None:
    """A pull request of the repository is previewed on both stacks; a fork's gets the outline, and no secret."""
    repository = "stranger/analyst-copilot" if fork else "example/analyst-copilot"
    request = {"number": 12, "head": {"repo": {"full_name": repository}}, "user": {"login": "someone"}}
    fake = FakeRun(folder=tmp_path, event={"pull_request": request})
    result = fake.run("preview.yml")
    expected = "skipped" if fork else "success"
    assert result.outcomes == {"outline": "success", "staging": expected, "production": expected}, str(result)
    shown = " ".join(value for call in fake.calls for value in call["env"].values())
    assert ("value of" in shown) is not fork
    numbers = {call["env"].get("ACP_PULL_REQUEST") for call in fake.calls if "--comment" in call["argv"]}
    assert numbers == (set() if fork else {"12"})


def test_previews_of_pull_requests_can_be_left_out(tmp_path: Path) -> None:
    """With the variable `PULL_REQUEST_PREVIEWS` at `off` a pull request gets the outline, and no secret."""
    request = {"number": 12, "head": {"repo": {"full_name": "example/analyst-copilot"}}, "user": {"login": "someone"}}
    fake = FakeRun(folder=tmp_path, event={"pull_request": request}, variables={"PULL_REQUEST_PREVIEWS": "off"})
    result = fake.run("preview.yml")
    assert result.outcomes == {"outline": "success", **skipped("staging", "production")}, str(result)


def test_a_pull_request_shares_no_environment_with_main(tmp_path: Path) -> None:
    """Reviewers on what previews pull requests keep neither plan, drift nor documentation of main waiting."""
    closed = frozenset({"staging-pull-request", "production-pull-request"})
    for name, inputs in (("deploy.yml", {"environment": "production"}), ("drift.yml", {})):
        result = FakeRun(folder=tmp_path / name, rejected=closed).run(name, **inputs)
        assert set(result.outcomes.values()) <= {"success", "skipped"}, str(result)
    request = {"number": 12, "head": {"repo": {"full_name": "example/analyst-copilot"}}, "user": {"login": "someone"}}
    fake = FakeRun(folder=tmp_path / "preview", rejected=closed, event={"pull_request": request})
    assert fake.run("preview.yml").outcomes == {"outline": "success", "staging": "failure", "production": "failure"}


def test_drift_is_told(tmp_path: Path) -> None:
    """A stack whose hosts differ fails its job and is told of; the other is looked at all the same."""
    fake = FakeRun(folder=tmp_path, answers={"acp-release status staging": {"status": 20}})
    result = fake.run("drift.yml")
    assert result.outcomes == {"staging": "failure", "production": "success"}
    assert [line for line in fake.commands if "notify" in line] == [
        "acp-release notify --stack staging --event drift --reason hosts and record differ, or could not be compared"
    ]


def test_a_night_without_a_comparison_is_no_drift(tmp_path: Path) -> None:
    """A job that fails before it compares, as without its key, is red, and nobody is told of drift."""
    fake = FakeRun(folder=tmp_path, answers={"acp-release install-keys staging": {"status": 11}})
    result = fake.run("drift.yml")
    assert result.outcomes == {"staging": "failure", "production": "success"}
    assert not [line for line in fake.commands if "--event" in line]
