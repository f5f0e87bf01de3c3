from __future__ import annotations

import secrets
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from infra.lab.images import Images
from infra.toolchain.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.lab import Lab

pytestmark = pytest.mark.lab

PASSWORD = secrets.token_hex(16)
READ_ONLY = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")


def _docker(*args: str, timeout_seconds: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/nonexistent",
        **environment,
    }
    return subprocess.run(
        ["docker", *args], capture_output=True, text=True, timeout=timeout_seconds, check=False, env=env
    )


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


@pytest.fixture
def name(lab: Lab) -> Iterator[str]:
    """See to the images, and return a name for a container and a volume that are removed afterwards."""
    images = Images(Progress())
    for image in ("postgres", "redis", "haproxy"):
        images.ensure(image)
    found = f"acp-lab-test-{secrets.token_hex(4)}"
    yield found
    _docker("rm", "--force", "--volumes", found)
    _docker("volume", "rm", "--force", found)


def _start_postgres(name: str) -> None:
    """Start Postgres as a stack does: numeric user, read-only root, data in a volume."""
    done = _docker(
        *("run", "--detach", "--name", name, "--user", "999:999", *READ_ONLY),
        *("--tmpfs", "/var/run/postgresql:uid=999,gid=999", "--tmpfs", "/tmp"),  # noqa: S108 - the container's
        *("--volume", f"{name}:/var/lib/postgresql/data", "--env", "PGDATA=/var/lib/postgresql/data/pgdata"),
        *("--env", "POSTGRES_USER=acp", "--env", "POSTGRES_DB=copilot", "--env", "POSTGRES_PASSWORD", "postgres:17"),
        POSTGRES_PASSWORD=PASSWORD,
    )
    assert done.returncode == 0, done.stderr


def _sql(name: str, text: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    # Over TCP: the socket trusts the container's own user, a client elsewhere needs the password.
    psql = ("psql", "-h", "127.0.0.1", "-U", "acp", "-d", "copilot", "-Atc", text)
    return _docker("exec", "--env", "PGPASSWORD", name, *psql, PGPASSWORD=password)


def test_postgres_makes_user_and_database_once(name: str) -> None:
    """The first start honours the variables of the official image; a later one keeps the data."""
    _start_postgres(name)
    assert _within(30, lambda: _sql(name, "create table t (n int)").returncode == 0)
    assert _sql(name, "select 1", password="wrong").returncode != 0
    _docker("restart", name)
    assert _within(20, lambda: _sql(name, "select count(*) from t").stdout == "0\n")


def test_postgres_survives_being_killed_in_its_first_start(name: str) -> None:
    """Wherever the first start is cut off, the next one ends with the user and the database."""
    for after_seconds in (0.4, 1.0, 1.6):
        _start_postgres(name)
        time.sleep(after_seconds)
        _docker("kill", name)
        _docker("rm", name)
    _start_postgres(name)
    assert _within(30, lambda: _sql(name, "select current_database()").stdout == "copilot\n")


def test_postgres_without_a_password_says_so(name: str) -> None:
    """A first start without a password fails with the variable's name instead of an open database."""
    done = _docker("run", "--name", name, "postgres:17")
    assert done.returncode == 1
    assert "POSTGRES_PASSWORD must be set" in done.stderr


def test_redis_wants_its_password_and_hides_it(name: str) -> None:
    """The password comes by environment, guards the server, and is in no argument of any process."""
    _docker(
        *("run", "--detach", "--name", name, "--user", "999:999", *READ_ONLY, "--volume", f"{name}:/data"),
        *("--env", "REDIS_PASSWORD", "redis:8.0"),
        REDIS_PASSWORD=PASSWORD,
    )

    def ask(*words: str) -> str:
        return _docker("exec", "--env", "REDISCLI_AUTH", name, "redis-cli", *words, REDISCLI_AUTH=PASSWORD).stdout

    assert _within(10, lambda: ask("ping") == "PONG\n")
    assert "NOAUTH" in _docker("exec", name, "redis-cli", "ping").stdout
    assert ask("set", "kept", "yes") == "OK\n"
    assert PASSWORD not in _docker("top", name).stdout
    _docker("restart", name)
    assert _within(10, lambda: ask("get", "kept") == "yes\n")


def test_haproxy_checks_a_configuration(name: str) -> None:
    """The edge's image runs as its own user and judges a configuration it is given."""
    done = _docker("run", "--rm", "--entrypoint", "sh", "haproxy:3.0", "-c", "haproxy -v; id -u")
    assert done.stdout.startswith("HAProxy version 3.0")
    assert done.stdout.endswith("99\n")
