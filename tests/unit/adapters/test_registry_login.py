from __future__ import annotations

import json
import subprocess
from pathlib import Path

from infra.adapters.registry_login import HELPER, HELPER_FOLDER, docker_login


def test_docker_learns_the_password_from_its_environment_alone() -> None:
    """The configuration names a helper and holds no secret, and is gone afterwards."""
    with docker_login("r.test:5000", "acp", "s3cret") as environment:
        home = Path(environment["DOCKER_CONFIG"])
        assert json.loads((home / "config.json").read_text()) == {"credHelpers": {"r.test:5000": HELPER}}
        assert not any("s3cret" in path.read_text() for path in home.iterdir())
    assert not home.exists()


def test_the_helper_answers_what_docker_asks() -> None:
    """Found on the program's path, it gives the login; to anything but `get` it says no."""
    with docker_login("r.test:5000", "acp", "s3cret") as environment:
        argv = [f"docker-credential-{HELPER}"]
        done = subprocess.run([*argv, "get"], env=environment, check=True, capture_output=True, input=b"r.test:5000")
        refused = subprocess.run([*argv, "erase"], env=environment, check=False, capture_output=True)
    assert json.loads(done.stdout) == {"ServerURL": "r.test:5000", "Username": "acp", "Secret": "s3cret"}
    assert refused.returncode == 1


def test_nothing_that_runs_is_written_for_a_login() -> None:
    """A program just written may be held open by another thread's child, and cannot be started then."""
    with docker_login("r.test", "acp", "s3cret") as environment:
        assert [path.name for path in Path(environment["DOCKER_CONFIG"]).iterdir()] == ["config.json"]
        assert environment["PATH"].startswith(f"{HELPER_FOLDER}:")
