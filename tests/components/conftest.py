from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from infra import host_plan, program, sources
from infra.adapters.git import Sources
from infra.components import images
from infra.components.dynamic import KEYS
from infra.components.record import RecordProvider
from infra.domain.text_form import to_text
from infra.settings.model import SECRET_NAMES, Settings
from infra.settings.secrets import SecretValues
from tests.support.pulumi_engine import Recording, run_program, secret
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

with warnings.catch_warnings():
    # The package warns of a class of its own, which we do not use, as soon as it is imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    import pulumi_command.remote.copy_file  # noqa: F401

SECRETS = {name: f"s3cr3t-{name.lower()}" for name in SECRET_NAMES} | {
    "REGISTRY_PASSWORD": "s3cr3t-registry-password",
    "DATABASE_URL": "postgresql://acp:s3cr3t-database-url@postgres:5432/acp",
    "REDIS_URL": "redis://:s3cr3t-redis-url@redis:6379/0",
}
SETUP_KEY = "-----BEGIN KEY-----\ns3cr3t-setup-key\n-----END KEY-----\n"
DEPLOY_KEY = "-----BEGIN KEY-----\ns3cr3t-deploy-key\n-----END KEY-----\n"
DEPLOY_PUBLIC_KEY = "ssh-ed25519 AAAAC3Nzdeploy deploy"
DIGESTS = {"acp-ingest": "sha256:" + "a" * 64, "acp-agents": "sha256:" + "b" * 64}
REPORT = {"previous": None, "checks": [], "timeline": {"committed": 1.5}, "warnings": []}


def _image(inputs: dict[str, Any]) -> dict[str, Any]:
    name = inputs["tags"][0].rpartition(":")[0].rpartition("/")[2]
    return {"digest": DIGESTS[name], "ref": f"{inputs['tags'][0]}@{DIGESTS[name]}"}


def _registry_image(arguments: dict[str, Any]) -> dict[str, Any]:
    return {**arguments, "id": "x", "sha256Digest": "sha256:" + "c" * 64}


def _run_of(inputs: dict[str, Any]) -> dict[str, Any]:
    return {key: inputs[key] for key in KEYS}


ANSWERS = {
    "docker-build:index:Image": _image,
    "docker:index/getRegistryImage:getRegistryImage": _registry_image,
    "pulumi-python:dynamic/acp:Scan": lambda inputs: {"report": {"image": inputs["image"], "passed": True}},
    "pulumi-python:dynamic/acp:Clearance": lambda inputs: {
        **_run_of(inputs),
        "clearance": None,
        "record": {"scans": [], "signed_by": None},
    },
    "pulumi-python:dynamic/acp:Preflight": lambda inputs: {
        **_run_of(inputs),
        "leases": {h: {"holder": f"run-{h}", "fence": 7} for h in ("h1", "h2")},
        "before": [],
    },
    "pulumi-python:dynamic/acp:Rollout": lambda inputs: {**_run_of(inputs), "report": to_text(REPORT)},
    # This engine knows no stack from before, whose history the record would go on with.
    "pulumi-python:dynamic/acp:ReleaseRecord": lambda inputs: RecordProvider().create({**inputs, "earlier": ""}).outs,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack of two hosts, to be declared."""

    root: Path
    settings: Settings

    def declare(
        self, *, secrets: dict[str, str] | None = None, answers: dict[str, Any] | None = None, **run: Any
    ) -> Recording:
        """Run the program for this stack on the recording engine."""
        values = SecretValues(values={**SECRETS, **(secrets or {})})
        return run_program(lambda: program.declare(self.settings, values), {**ANSWERS, **(answers or {})}, **run)

    def bent(self, **changes: Any) -> Stack:
        """Return the same stack with other settings."""
        return Stack(root=self.root, settings=_settings(self.root, **changes))


def stack_outputs_of(recording: Recording) -> dict[str, Any]:
    """Return the outputs of a run as the engine keeps them, secrets marked."""
    return {name: secret(export.value) if export.secret else export.value for name, export in recording.exports.items()}


def _settings(root: Path, **changes: Any) -> Settings:
    keys = {"setup_key_file": str(root / "setup"), "deploy_key_file": str(root / "deploy")}
    return make_settings(**{"ssh": keys, "version": "v1.4.2", "core": {}, **changes})


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a stack of two hosts with keys in a folder of its own; no git and no build of hostctl for each test."""
    root = tmp_path_factory.mktemp("stack")
    (root / "setup").write_text(SETUP_KEY, encoding="utf-8")
    (root / "deploy").write_text(DEPLOY_KEY, encoding="utf-8")
    (root / "deploy.pub").write_text(DEPLOY_PUBLIC_KEY + "\n", encoding="utf-8")
    zipapp = host_plan.build_zipapp(root / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host_plan, "build_zipapp", lambda _folder: zipapp)
        patch.setattr(sources, "describe_sources", lambda _root, _paths: Sources(version="v1.4.2", commit="c" * 40))
        patch.setattr(images, "refuse_silent", lambda _server: None)  # its registry is the recording engine
        yield Stack(root=root, settings=_settings(root))


@pytest.fixture(scope="session")
def recording(stack: Stack) -> Recording:
    """Return what the first release of the stack registered, under the run id `run-0`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "choose_run_id", lambda _environ: "run-0")
        return stack.declare()
