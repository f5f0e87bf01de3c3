from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import ValidationError

from infra.adapters.process import run
from infra.errors import SettingsError
from infra.paths import PROJECT_ROOT
from infra.rollout.driver import START_SECONDS
from infra.settings import load_settings, load_stack_file, one_update_overrides
from infra.settings.model import SECRET_NAMES, Settings
from infra.settings.rollout import Rollout
from tests.support.settings import INVENTORY, make_settings, service, services, stack_config, stack_values

if TYPE_CHECKING:
    from pathlib import Path

STACKS = sorted(path.name.split(".")[1] for path in (PROJECT_ROOT / "stacks").glob("Pulumi.*.yaml"))


def problems_of(config: dict[str, Any], root: Path) -> tuple[str, ...]:
    """Return the problems that loading `config` raises."""
    with pytest.raises(SettingsError) as caught:
        load_settings("local", config, root=root)
    return caught.value.problems


def write_stack(root: Path, text: str) -> None:
    """Write `stacks/Pulumi.local.yaml` below `root`."""
    (root / "stacks").mkdir()
    (root / "stacks" / "Pulumi.local.yaml").write_text(text, encoding="utf-8")


def test_a_valid_stack_file_becomes_settings(tmp_path: Path) -> None:
    """A valid file gives settings with its stack's name and defaults for what it leaves out."""
    write_stack(tmp_path, yaml.safe_dump({"config": stack_config()}))
    settings = load_stack_file("local", tmp_path)
    assert settings.stack == "local"
    assert [host.name for host in settings.hosts] == ["h1", "h2"]
    assert settings.rollout.strategy == "blue-green"


def test_every_problem_is_reported_at_once_with_its_path(tmp_path: Path) -> None:
    """Problems in different sections and of different kinds all stand in one error."""
    config = stack_config(
        rollout={"strategy": "recreate", "canary": {"steps": [10, 120]}, "confirm_timeout_seconds": 0},
        checks={"passes": 0, "intervall": 1},
        version="latest",
        edge={"http_port": 70000},
    )
    config["acp:databse"] = "x"
    config["other:key"] = 1
    problems = problems_of(config, tmp_path)
    assert problems == (
        "other:key: unknown key (keys begin with `acp:`)",
        "version: `latest` moves; name a version",
        "edge.http_port: Input should be less than or equal to 65535 (got 70000)",
        "rollout.strategy: Input should be 'blue-green' or 'canary' (got 'recreate')",
        "rollout.confirm_timeout_seconds: Input should be greater than 0 (got 0)",
        "rollout.canary.steps[1]: must be 1..99 (got 120)",
        "checks.passes: Input should be greater than or equal to 1 (got 0)",
        "checks.intervall: unknown key",
        "databse: unknown key",
    )


def test_the_error_names_the_file_the_count_and_the_mend(tmp_path: Path) -> None:
    """The message begins with how many problems which file has and ends with where the keys are listed."""
    write_stack(tmp_path, yaml.safe_dump({"config": stack_config(version="latest", keep=1)}))
    with pytest.raises(SettingsError) as caught:
        load_stack_file("local", tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 problems in stacks/Pulumi.local.yaml:"
    assert lines[-1] == "  mend:  docs/settings.md lists every key"
    assert caught.value.exit_code == 10


@pytest.mark.parametrize("tag", ["latest", "LATEST", "Latest"])
@pytest.mark.parametrize("key", ["version", "image_tag"])
def test_latest_is_refused(tmp_path: Path, key: str, tag: str) -> None:
    """A tag that moves is refused wherever a version is named, in any case of letters."""
    assert problems_of(stack_config(**{key: tag}), tmp_path) == (f"{key}: `latest` moves; name a version",)


def test_a_tag_that_merely_contains_latest_is_accepted(tmp_path: Path) -> None:
    """Only the moving tag itself is refused."""
    assert load_settings("local", stack_config(version="latest-fix"), root=tmp_path).version == "latest-fix"


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([], "rollout.canary.steps: Tuple should have at least 1 item after validation, not 0 (got [])"),
        ([10, 10], "rollout.canary.steps: must rise (got [10, 10])"),
        ([50, 25], "rollout.canary.steps: must rise (got [50, 25])"),
        ([0, 10], "rollout.canary.steps[0]: must be 1..99 (got 0)"),
        ([10, 100], "rollout.canary.steps[1]: must be 1..99 (got 100)"),
    ],
)
def test_canary_steps_must_rise_within_1_to_99(tmp_path: Path, steps: list[int], problem: str) -> None:
    """Steps that do not rise, or are no share of both releases, are refused with their position."""
    assert problems_of(stack_config(rollout={"canary": {"steps": steps}}), tmp_path) == (problem,)


@pytest.mark.parametrize("steps", [[1], [99], [1, 99], [10, 25, 50]])
def test_canary_steps_at_the_limits_are_accepted(tmp_path: Path, steps: list[int]) -> None:
    """1 and 99 are allowed, and so is a single step."""
    settings = load_settings("local", stack_config(rollout={"canary": {"steps": steps}}), root=tmp_path)
    assert settings.rollout.canary.steps == tuple(steps)


@pytest.mark.parametrize("seconds", [0, -1, -0.5])
@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("rollout.confirm_timeout_seconds", lambda s: {"rollout": {"confirm_timeout_seconds": s}}),
        ("rollout.canary.bake_seconds", lambda s: {"rollout": {"canary": {"bake_seconds": s}}}),
        ("checks.timeout_seconds", lambda s: {"checks": {"timeout_seconds": s}}),
        ("checks.interval_seconds", lambda s: {"checks": {"interval_seconds": s}}),
        (
            "services.acp-ingest.drain_timeout_seconds",
            lambda s: {"services": services(drain_timeout_seconds=s)},
        ),
        (
            "services.acp-ingest.readiness.timeout_seconds",
            lambda s: {"services": services(readiness={"timeout_seconds": s})},
        ),
    ],
)
def test_a_duration_must_be_positive(tmp_path: Path, path: str, change: Any, seconds: float) -> None:
    """Zero and negative durations are refused with path and value."""
    expected = f"{path}: Input should be greater than 0 (got {seconds!r})"
    assert problems_of(stack_config(**change(seconds)), tmp_path) == (expected,)


def test_a_container_gets_no_more_time_than_a_start_has(tmp_path: Path) -> None:
    """A host says itself what was not ready, before the runner stops waiting for it."""
    longest = 600
    assert longest < START_SECONDS
    config = stack_config(services=services(readiness={"timeout_seconds": longest}))
    assert load_settings("local", config, root=tmp_path).services["acp-ingest"].readiness.timeout_seconds == longest
    config = stack_config(services=services(readiness={"timeout_seconds": longest + 1}))
    assert problems_of(config, tmp_path) == (
        "services.acp-ingest.readiness.timeout_seconds: Input should be less than or equal to 600 (got 601)",
    )


@pytest.mark.parametrize("left_out", ["port", "routes"])
def test_a_web_service_needs_port_and_routes(tmp_path: Path, left_out: str) -> None:
    """A service that gets traffic says where it listens and what is sent to it."""
    web = {key: value for key, value in service().items() if key != left_out}
    config = stack_config(services={**services(), "acp-ingest": web})
    assert problems_of(config, tmp_path) == ("services.acp-ingest: a web service needs port and routes",)


def test_of_a_workers_readiness_only_its_time_can_be_set(tmp_path: Path) -> None:
    """A worker is asked nothing, so what would be asked is refused with the mend, not dropped."""
    values = services()
    values["acp-worker"]["readiness"] = {"timeout_seconds": 600}
    settings = load_settings("local", stack_config(services=values), root=tmp_path)
    assert settings.services["acp-worker"].readiness.timeout_seconds == 600
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings
    values["acp-worker"]["readiness"] = {"timeout_seconds": 600, "path": "/r", "passes": 1}
    (problem,) = problems_of(stack_config(services=values), tmp_path)
    assert problem == (
        "services.acp-worker: readiness.passes, readiness.path: a worker is not asked; leave out all but "
        "readiness.timeout_seconds, its health check counts"
    )


def test_references_between_sections_are_checked(tmp_path: Path) -> None:
    """A missing image, a host or public port named twice and a secret set in clear are problems of their own."""
    values = stack_values()
    values["services"]["acp-ingest"]["image"] = "acp-nothing"
    values["services"]["acp-agents"]["routes"]["public_port"] = 8000
    values["hosts"][1]["name"] = "h1"
    values["environment"]["DATABASE_URL"] = "postgresql://in-clear"
    assert problems_of({f"acp:{key}": value for key, value in values.items()}, tmp_path) == (
        "services.acp-ingest.image: no image 'acp-nothing' in images",
        "hosts: name 'h1' stands twice",
        "environment.DATABASE_URL: is a secret; set it in the runner's environment",
        "services: public_port 8000 stands twice",
    )


def test_the_value_of_a_secret_set_in_clear_is_not_shown(tmp_path: Path) -> None:
    """The message about a secret in the stack file does not repeat its value."""
    config = stack_config(environment={"SECRET_KEY": "s3cr3t-value"})
    assert "s3cr3t-value" not in "\n".join(problems_of(config, tmp_path))


def test_pulumi_secrets_are_refused(tmp_path: Path) -> None:
    """A `secure:` value has no place in a stack file."""
    config = {**stack_config(), "acp:password": {"secure": "AAABAKz"}}
    problem = "acp:password: secrets come from the environment, not from the stack file"
    assert problems_of(config, tmp_path) == (problem,)


def test_configuration_of_pulumi_itself_is_left_alone(tmp_path: Path) -> None:
    """Keys of the `pulumi` namespace are no settings of ours."""
    assert load_settings("local", {**stack_config(), "pulumi:tags": {"a": "b"}}, root=tmp_path).stack == "local"


def test_structures_may_come_as_json_text(tmp_path: Path) -> None:
    """What Pulumi hands over as JSON text validates to the same settings as the structure in the file."""
    plain = stack_config(version="1.2", rollout={"keep": 3})
    flattened = {key: value if isinstance(value, str) else json.dumps(value) for key, value in plain.items()}
    assert load_settings("local", flattened, root=tmp_path) == load_settings("local", plain, root=tmp_path)


def test_text_that_only_looks_like_json_stays_text(tmp_path: Path) -> None:
    """A plain value beginning with a bracket is kept as it is, and judged as such."""
    assert problems_of(stack_config(version="[v1"), tmp_path)[0].startswith("version: String should match pattern")


@pytest.mark.parametrize(("text", "size"), [("512MiB", 512 * 1024**2), ("1.5GiB", 1610612736), (1048576, 1048576)])
def test_sizes_take_units(tmp_path: Path, text: str | int, size: int) -> None:
    """A size is bytes, or a number with a unit."""
    config = stack_config(services=services(memory_bytes=text))
    assert load_settings("local", config, root=tmp_path).services["acp-ingest"].memory_bytes == size


def test_a_size_with_an_unknown_unit_is_refused(tmp_path: Path) -> None:
    """A unit that is none is a problem with path and value."""
    config = stack_config(services=services(memory_bytes="512 apples"))
    (problem,) = problems_of(config, tmp_path)
    assert problem.startswith("services.acp-ingest.memory_bytes: ")
    assert problem.endswith("(got '512 apples')")


def test_a_compose_service_name_leaves_room_for_the_longest_container_name(tmp_path: Path) -> None:
    """A compose service's name is short enough that no container name passes 63 characters."""
    good = load_settings("local", stack_config(services=services(compose_service="a" * 14)), root=tmp_path)
    assert good.services["acp-ingest"].compose_service == "a" * 14
    (problem,) = problems_of(stack_config(services=services(compose_service="a" * 15)), tmp_path)
    assert problem.startswith("services.acp-ingest.compose_service: ")


def test_a_host_key_without_its_kind_is_refused(tmp_path: Path) -> None:
    """A host key is `kind base64`; anything else would pin nothing."""
    hosts = [{"name": "h1", "address": "h1.test", "host_key": "AAAAC3NzaC1lZDI1NTE5"}]
    (problem,) = problems_of(stack_config(hosts=hosts), tmp_path)
    assert problem.startswith("hosts[0].host_key: String should match pattern")


class TestStackFile:
    """Files that are no stack."""

    def test_an_unknown_stack_lists_the_known_ones(self, tmp_path: Path) -> None:
        """The mend names the stacks there are."""
        write_stack(tmp_path, "config: {}")
        with pytest.raises(SettingsError) as caught:
            load_stack_file("prodution", tmp_path)
        assert caught.value.problems == ("there is no stack 'prodution'",)
        assert caught.value.mend == "name one of: local"

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("config: [", "is not YAML: "),
            ("", "has no `config:` mapping"),
            ("config: text", "has no `config:` mapping"),
            ("- config", "has no `config:` mapping"),
        ],
    )
    def test_what_is_no_stack_file_is_refused(self, tmp_path: Path, text: str, problem: str) -> None:
        """Broken YAML and missing configuration are said in words."""
        write_stack(tmp_path, text)
        with pytest.raises(SettingsError) as caught:
            load_stack_file("local", tmp_path)
        assert caught.value.problems[0].startswith(problem)


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_files_of_this_repository_are_valid(tmp_path: Path, stack: str) -> None:
    """Every file in `stacks/` validates, with a made-up inventory where it names one."""
    path = PROJECT_ROOT / "stacks" / f"Pulumi.{stack}.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    if "acp:inventory" in config:
        config["acp:inventory"] = "inventory.json"
        (tmp_path / "inventory.json").write_text(json.dumps(INVENTORY), encoding="utf-8")
    settings = load_settings(stack, config, root=tmp_path)
    assert settings.stack == stack
    for image in settings.images.values():
        for source in (image.context, image.dockerfile, *image.sources):
            assert (PROJECT_ROOT / source).exists(), source
    assert (PROJECT_ROOT / settings.compose_file).exists()


@pytest.mark.parametrize(("lease", "confirm", "every"), [(30, 120, 7.5), (60, 8, 2.0), (5, 120, 1.25)])
def test_renewals_fit_the_shorter_of_lease_and_trial(lease: int, confirm: float, every: float) -> None:
    """Several renewals come before either is over, whatever a stack sets."""
    assert Rollout(lease_seconds=lease, confirm_timeout_seconds=confirm).heartbeat_seconds == every


def test_an_override_that_is_empty_is_refused() -> None:
    """A tag that got lost on its way is not taken for none: the update would build."""
    with pytest.raises(SettingsError) as caught:
        one_update_overrides({"ACP_IMAGE_TAG": "", "ACP_VERSION": "v1"})
    assert caught.value.problems == ("ACP_IMAGE_TAG is set and empty",)


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_file_is_committed_with_a_salt(stack: str) -> None:
    """Pulumi writes the salt of one checkout's passphrase into the file; in another checkout it would fit nothing."""
    argv = ["git", "show", f":stacks/Pulumi.{stack}.yaml"]
    assert "encryptionsalt" not in run(argv, timeout_seconds=20, cwd=PROJECT_ROOT).stdout


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rollback_to": None}, "only a rollback"),
        ({"rollout": {"unreachable_host": "refuse"}}, "only a rollback"),
        ({"skip_hosts": ["h9"]}, "h9 is no host of the stack"),
        ({"skip_hosts": ["h1", "h2"]}, "names every host"),
    ],
)
def test_hosts_are_left_alone_by_rollbacks_only(changes: dict[str, Any], problem: str) -> None:
    """A release needs every host, and an update needs one."""
    skipping = {"rollback_to": "v1-0", "rollout": {"unreachable_host": "skip"}, "skip_hosts": ["h2"]}
    settings = make_settings(**skipping)
    assert [host.name for host in settings.hosts] == ["h1", "h2"]
    assert [host.name for host in settings.without_skipped().hosts] == ["h1"]
    with pytest.raises(ValidationError, match=problem):
        make_settings(**{**skipping, **changes})


def test_a_secret_that_docker_compose_would_read_itself_is_refused(tmp_path: Path) -> None:
    """Its value would be a setting of the program that starts the containers; an app's own names are left alone."""
    names = [*SECRET_NAMES, "LD_PRELOAD", "SSH_PRIVATE_KEY", "DOCKER_HOST", "PATH", "HTTP_PROXY", "OLD_KEY"]
    found = problems_of(stack_config(secrets={"names": names}), tmp_path)
    first = len(SECRET_NAMES)
    assert [problem.partition(" is read by docker compose itself")[0] for problem in found] == [
        f"secrets.names[{first}]: LD_PRELOAD",
        f"secrets.names[{first + 2}]: DOCKER_HOST",
        f"secrets.names[{first + 3}]: PATH",
    ]
