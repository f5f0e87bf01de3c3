from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from infra.adapters.ssh import ssh_options
from infra.domain.build_definition import definition_of
from infra.settings.model import SECRET_NAMES
from tests.components.conftest import DEPLOY_KEY, DEPLOY_PUBLIC_KEY, SECRETS, SETUP_KEY
from tests.support.pulumi_engine import Recording, Secret, in_clear, unmarked
from tests.support.settings import HOST_KEY, make_settings

if TYPE_CHECKING:
    import pytest

    from tests.components.conftest import Stack

COMMAND = "command:remote:Command"
MARK = "s3cr3t"


def request_of(recording: Recording, name: str) -> dict[str, Any]:
    """Return the request that a command sends on standard input."""
    request: dict[str, Any] = json.loads(unmarked(recording.named(name).inputs["stdin"]))
    return request


class TestCommands:
    """Everything that runs on a host."""

    def test_the_host_key_is_pinned(self, recording: Recording) -> None:
        """Every connection names the key the host must show, without its comment."""
        for resource in (*recording.of_type(COMMAND), *recording.of_type("command:remote:CopyToRemote")):
            connection = unmarked(resource.inputs["connection"])
            assert connection["hostKey"] == HOST_KEY
            assert connection["user"] == "deploy"
            assert connection["host"] == ("127.0.11.11" if resource.name.startswith("h1-") else "127.0.11.12")
            assert (connection["dialErrorLimit"], connection["perDialTimeout"]) == (3, 10)

    def test_private_keys_are_secrets(self, recording: Recording) -> None:
        """Set-up uses the setup key and a release the deploy key; neither is in the state in clear."""
        for resource in (*recording.of_type(COMMAND), *recording.of_type("command:remote:CopyToRemote")):
            connection = resource.inputs["connection"]
            key = DEPLOY_KEY if "candidate" in resource.name else SETUP_KEY
            assert unmarked(connection)["privateKey"] == key
            assert isinstance(connection, Secret) or isinstance(connection["privateKey"], Secret)

    def test_requests_are_secrets_on_standard_input(self, recording: Recording) -> None:
        """What hostctl is told never stands in a command line, and is a secret as input and as output."""
        commands = [r for r in recording.of_type(COMMAND) if "stdin" in r.inputs]
        assert len(commands) == 8
        for command in commands:
            assert isinstance(command.inputs["stdin"], Secret)
            assert "stdin" in command.secret_outputs
            assert MARK not in unmarked(command.inputs["create"])
            assert json.loads(unmarked(command.inputs["stdin"]))["command"] in {"install", "edge", "core", "start"}

    def test_nothing_is_printed_or_passed_on(self, recording: Recording) -> None:
        """No output is logged, and no earlier output goes into an environment that sshd would refuse."""
        for command in recording.of_type(COMMAND):
            assert command.inputs["logging"] == "none"
            assert command.inputs["addPreviousOutputInEnv"] is False
            assert "environment" not in command.inputs

    def test_a_release_never_replaces_or_deletes(self, recording: Recording) -> None:
        """No command has triggers; only the one that empties a host at the stack's end does anything when deleted."""
        for command in recording.of_type(COMMAND):
            assert "triggers" not in command.inputs
            assert ("delete" in command.inputs) == command.name.endswith("-uninstall")
        uninstall = recording.named("h1-agent-uninstall").inputs
        assert set(uninstall) == {"connection", "create", "delete", "logging", "addPreviousOutputInEnv"}

    def test_a_start_shows_release_and_run(self, recording: Recording) -> None:
        """The command text carries both ids, so that a new release or run is an update in place."""
        release = recording.exports["release"].value
        run = recording.exports["release_entry"].value["run_id"]
        assert recording.named("h1-candidate-start").inputs["create"] == f"hostctl start {release} {run}"

    def test_a_start_has_all_that_hostctl_needs(self, recording: Recording) -> None:
        """Spec, the app's secrets, the registry login and the lease of that host."""
        request = request_of(recording, "h2-candidate-start")
        assert request["spec"]["release"] == recording.exports["release"].value
        assert request["secrets"] == {name: SECRETS[name] for name in SECRET_NAMES}
        assert request["registry"]["password"] == SECRETS["REGISTRY_PASSWORD"]
        assert request["lease"] == {"holder": "run-h2", "fence": 7}
        assert isinstance(request["lease"]["fence"], int)
        assert request["confirm_timeout_seconds"] == 120

    def test_installing_binds_the_deploy_key(self, recording: Recording) -> None:
        """The agent's file goes first; installing it gives it the deploy key and the ports of verification."""
        copy = recording.named("h1-agent-hostctl-file").inputs
        install = recording.named("h1-agent-hostctl").inputs
        assert install["create"] == f"python3 {copy['remotePath']} install"
        request = request_of(recording, "h1-agent-hostctl")
        assert request["deploy_keys"] == [DEPLOY_PUBLIC_KEY]
        assert request["permit_ports"] == [18000, 18001, 18002, 18003]

    def test_the_core_gets_its_own_secrets_only(self, recording: Recording) -> None:
        """Data services get passwords taken from the app's addresses, and nothing else of the app."""
        request = request_of(recording, "h1-agent-core")
        assert request["secrets"] == {
            "POSTGRES_USER": "acp",
            "POSTGRES_PASSWORD": "s3cr3t-database-url",
            "POSTGRES_DB": "acp",
            "REDIS_PASSWORD": "s3cr3t-redis-url",
        }
        assert all("@sha256:" in image for image in request["images"])

    def test_the_edge_is_pinned(self, recording: Recording) -> None:
        """The edge's image goes to the host by digest, with the public ports of all web services."""
        request = request_of(recording, "h1-agent-edge")
        assert request["image"] == "registry.test:5000/library/haproxy@sha256:" + "c" * 64
        assert request["public_ports"] == [8000, 8001]
        assert request["tls"] is None


class TestData:
    """Networks and volumes."""

    def test_volumes_survive_everything(self, recording: Recording) -> None:
        """Data volumes are protected, and no change of theirs but the name counts."""
        volumes = recording.of_type("docker:index/volume:Volume")
        assert [v.inputs["name"] for v in volumes] == ["acp-local-postgres", "acp-local-redis"] * 2
        for volume in volumes:
            assert volume.protect
            assert set(volume.ignore_changes) == {"cluster", "driver", "driverOpts", "labels"}
            assert set(volume.inputs) == {"name"}

    def test_networks_have_nothing_that_could_change(self, recording: Recording) -> None:
        """Any change replaces a network, so it has a name, a driver and whether it is internal, no more."""
        networks = {n.name: n.inputs for n in recording.of_type("docker:index/network:Network")}
        assert networks["h1-data-front"] == {"name": "acp-local-front", "driver": "bridge"}
        assert networks["h1-data-data"] == {"name": "acp-local-data", "driver": "bridge", "internal": True}

    def test_docker_is_reached_over_pinned_ssh(self, recording: Recording, stack: Stack) -> None:
        """Each host's own provider goes over SSH with the pinned key, and its resources use it."""
        for index, host in enumerate(stack.settings.hosts):
            provider = recording.named(f"{host.name}-data-docker")
            assert provider.inputs["host"] == f"ssh://deploy@127.0.11.1{index + 1}:22"
            options = provider.inputs["sshOpts"]
            options = json.loads(options) if isinstance(options, str) else options
            assert options == ssh_options(host, str(stack.root / "setup"))
            for name in ("front", "data", "postgres", "redis"):
                assert recording.named(f"{host.name}-data-{name}").provider.startswith(f"{provider.urn}::")


class TestImages:
    """What is built and pushed."""

    def test_an_image_is_built_pushed_and_kept(self, recording: Recording) -> None:
        """Built by the host's BuildKit, pushed under its version, never in a preview, kept in the registry."""
        image = recording.named("acp-ingest-image")
        assert image.inputs["tags"] == ["registry.test:5000/acp/acp-ingest:v1.4.2"]
        assert image.inputs["push"] is True
        assert image.inputs["exec"] is True
        assert image.inputs["buildOnPreview"] is False
        assert image.inputs["builder"] == {"name": "default"}
        assert image.inputs["platforms"] == ["linux/amd64"]
        assert image.retain_on_delete

    def test_an_image_says_where_it_comes_from(self, recording: Recording) -> None:
        """Version and commit are labels, and no cache that others may write to the registry goes into the build."""
        image = recording.named("acp-ingest-image").inputs
        assert image["labels"] == {
            "org.opencontainers.image.version": "v1.4.2",
            "org.opencontainers.image.revision": "c" * 40,
            "acp.build.definition": definition_of(make_settings().images["acp-ingest"]),
        }
        assert "cacheFrom" not in image

    def test_the_registry_login_is_a_secret(self, recording: Recording) -> None:
        """The password is secret in the build and in the provider that looks tags up."""
        image = recording.named("acp-ingest-image")
        assert "registries" in image.secret_outputs
        provider = recording.named("registry")
        assert "registryAuth" in provider.secret_outputs
        assert isinstance(provider.inputs["registryAuth"], Secret) or MARK not in json.dumps(in_clear(provider.inputs))

    def test_no_image_goes_out_as_latest(self, recording: Recording) -> None:
        """Every tag and every looked-up reference names a version."""
        tags = [tag for name in ("acp-ingest", "acp-agents") for tag in recording.named(f"{name}-image").inputs["tags"]]
        looked_up = [arguments["name"] for _, arguments in recording.invokes if "sha" not in arguments["name"]]
        assert not [name for name in (*tags, *looked_up) if name.endswith(":latest")]


class TestSecrets:
    """What may be read without the passphrase."""

    def test_no_input_has_a_secret_in_clear(self, recording: Recording) -> None:
        """In the state, every secret value is inside something marked as secret."""
        for resource in recording.resources.values():
            assert MARK not in json.dumps(in_clear(resource.inputs)), resource.name

    def test_dynamic_resources_carry_no_secret_at_all(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither inputs nor pickled providers hold a value, not even encrypted: the environment does."""
        for name, value in SECRETS.items():
            monkeypatch.setenv(f"LOCAL_{name}", value)
        for resource in stack.declare().resources.values():
            if not resource.type.startswith("pulumi-python:"):
                continue
            inputs = unmarked(resource.inputs)
            pickled = base64.b64decode(inputs.pop("__provider"))
            assert MARK.encode() not in pickled, resource.name
            assert MARK not in json.dumps(inputs), resource.name

    def test_outputs_show_everything_but_the_key(self, recording: Recording) -> None:
        """Stack outputs are readable, have no secret value, and only the fingerprint key is kept secret."""
        assert {name for name, export in recording.exports.items() if export.secret} == {"fingerprint_key"}
        assert MARK not in json.dumps({n: e.value for n, e in recording.exports.items()}, default=str)

    def test_the_fingerprint_key_is_a_secret_of_the_record(self, recording: Recording) -> None:
        """With the key, fingerprints could be tried out: it is secret as input and as output."""
        record = recording.named("record")
        assert isinstance(record.inputs["fingerprint_key"], Secret)
        assert "fingerprint_key" in record.secret_outputs

    def test_nothing_said_has_a_secret(self, recording: Recording) -> None:
        """The change in words names no value of a secret."""
        assert recording.log == ["acp-ingest (none) → v1.4.2", "acp-agents (none) → v1.4.2"]
