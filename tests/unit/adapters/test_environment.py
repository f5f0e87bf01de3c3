from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.adapters import cosign, registry_login, trivy
from infra.adapters.environment import kept_environment
from infra.adapters.process import Completed

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRETS = {
    "PRODUCTION_DATABASE_URL": "postgres://acp:pa55word@db/acp",
    "PRODUCTION_COSIGN_PASSWORD": "pa55word-2",
    "PULUMI_CONFIG_PASSPHRASE": "pa55word-3",
    "AWS_SECRET_ACCESS_KEY": "pa55word-4",
    "GITHUB_TOKEN": "pa55word-5",
}
NEEDED = {
    "PATH": "/usr/bin",
    "HOME": "/home/me",
    "TMPDIR": "/scratch",
    "SSL_CERT_FILE": "/ca.pem",
    "SSL_CERT_DIR": "/certs",
    "HTTPS_PROXY": "http://proxy:3128",
    "no_proxy": "localhost",
    "DOCKER_HOST": "unix:///run/docker.sock",
    "XDG_RUNTIME_DIR": "/run/user/1000",
}
SIGNING = {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "jwt", "SIGSTORE_ROOT_FILE": "/root.pem", "COSIGN_REPOSITORY": "r.test/s"}
TRIVY = {"TRIVY_SEVERITY": "LOW"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process have secrets, what tools need, and what only some do, and nothing else."""
    everything = {**SECRETS, **NEEDED, **SIGNING, **TRIVY}
    monkeypatch.setattr("os.environ", everything)


def test_tools_get_paths_trust_and_proxies() -> None:
    """Whatever else is in the environment stays there, whatever its name."""
    assert kept_environment() == NEEDED
    assert kept_environment("TRIVY_") == {**NEEDED, **TRIVY}


def test_trivy_gets_no_secret_but_its_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads images of others: what it does not have it cannot give away."""
    asked: list[Mapping[str, str]] = []

    def run(argv: list[str], *, env: Mapping[str, str], **_: object) -> Completed:
        asked.append(env)
        return Completed(argv=tuple(argv), exit_status=0, stdout="", stderr="")

    monkeypatch.setattr(trivy, "run", run)
    trivy.call(["trivy"], timeout_seconds=1, login=trivy.Login(username="acp", password="pw"))
    assert asked == [{**NEEDED, "TRIVY_USERNAME": "acp", "TRIVY_PASSWORD": "pw"}]


def test_docker_gets_no_secret_but_its_login() -> None:
    """What signs is none of its business either."""
    with registry_login.docker_login("r.test", "acp", "pw") as environment:
        own = {name: value for name, value in environment.items() if not name.startswith("ACP_LOGIN_")}
    assert own.pop("DOCKER_CONFIG")
    assert own.pop("PATH").endswith(":/usr/bin")
    assert own == {name: value for name, value in NEEDED.items() if name != "PATH"}


def test_cosign_gets_what_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """CI's word for the run, its own settings and the password of its key, with the login of the registry."""
    asked: list[Mapping[str, str]] = []

    def run(argv: list[str], *, env: Mapping[str, str], **_: object) -> Completed:
        asked.append(env)
        return Completed(argv=tuple(argv), exit_status=0, stdout="", stderr="")

    monkeypatch.setattr(cosign, "run", run)
    cosign.Cosign(server="r.test", username="acp", password="pw", key_password="key").sign("r.test/a@sha256:1", None)
    (environment,) = asked
    assert set(environment) == {
        *NEEDED, *SIGNING, "DOCKER_CONFIG", "COSIGN_PASSWORD",
        "ACP_LOGIN_SERVER", "ACP_LOGIN_USERNAME", "ACP_LOGIN_PASSWORD",
    }  # fmt: skip
    assert environment["COSIGN_PASSWORD"] == "key"
