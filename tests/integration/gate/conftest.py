"""A gate over the lab's registry: small images with given packages, a database with given findings."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from infra.adapters.trivy import Login
from infra.checks.gate import ScanRequest
from infra.lab import registry
from infra.lab.push import lab_login
from infra.lab.trivy_database import date_database, make_database
from tests.support.lab import Lab, lab
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.settings import Settings

__all__ = ["lab"]

SOURCES = Path(__file__).parent / "vulnerabilities.yaml"
STATUS = "Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\nMaintainer: a\n\n"


def debian(*packages: str, version: str = "13") -> dict[str, str]:
    """Return the files of a Debian with `packages` in version 1.0-1, and nothing else."""
    return {
        "etc/os-release": f'ID=debian\nVERSION_ID="{version}"\n',
        "etc/debian_version": f"{version}.1\n",
        "var/lib/dpkg/status": "".join(STATUS.format(name=name, version="1.0-1") for name in packages),
    }


@dataclass(frozen=True)
class Stand:
    """The lab's registry with a database and folders of the test's own."""

    lab: Lab
    path: Path

    def push(self, name: str, files: Mapping[str, str]) -> str:
        """Push an image with these files as `acp/<name>` and return it by digest."""
        plan, folder = self.lab.plan, self.lab.folder
        target = f"{plan.registry_server}/acp/{name}:test"
        with tempfile.TemporaryDirectory() as made, lab_login(folder, plan) as environment:
            for path, text in files.items():
                (Path(made) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(made) / path).write_text(text)
            (Path(made) / "Dockerfile").write_text("FROM scratch\nCOPY . /\nUSER 10001\n")
            for argv in (["docker", "build", "-q", "-t", target, made], ["docker", "push", "-q", target]):
                subprocess.run(argv, check=True, capture_output=True, env=environment, timeout=120)
        with self.client() as http:
            return f"{target.rpartition(':')[0]}@{registry.digest(http, f'acp/{name}:test')}"

    def push_artifact(self, name: str, tag: str, content: bytes, media_type: str) -> None:
        """Push `content` as the one layer of `acp/<name>:<tag>`."""
        kind = "application/vnd.oci.image.manifest.v1+json"

        def upload(http: httpx.Client, blob: bytes) -> dict[str, object]:
            found = f"sha256:{hashlib.sha256(blob).hexdigest()}"
            place = http.post(f"/v2/acp/{name}/blobs/uploads/").headers["Location"]
            http.put(httpx.URL(place).copy_merge_params({"digest": found}), content=blob).raise_for_status()
            return {"digest": found, "size": len(blob)}

        with self.client() as http:
            config = {"mediaType": "application/vnd.oci.image.config.v1+json", **upload(http, b"{}")}
            title = {"org.opencontainers.image.title": "db.tar.gz"}
            layers = [{"mediaType": media_type, "annotations": title, **upload(http, content)}]
            manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers})
            answer = http.put(f"/v2/acp/{name}/manifests/{tag}", content=manifest, headers={"Content-Type": kind})
            answer.raise_for_status()

    def client(self) -> httpx.Client:
        """Return a client that is logged in to the registry."""
        return registry.client(self.lab.folder, self.lab.plan)

    def settings(self, *, signing: Mapping[str, str] | None = None, **gate: Any) -> Settings:
        """Return the settings of a stack with this gate."""
        return make_settings(
            registry={"server": self.lab.registry_server},
            secrets={"prefix": "LOCAL_", "lab_folder": str(self.lab.folder.path)},
            gate={
                "database_folder": str(self.path / "trivy"),
                "report_folder": str(self.path / "reports"),
                "waivers_file": str(self.path / "waivers.yaml"),
                "signing": signing,
                **gate,
            },
        )

    def request(self, image: str, *, password: str = "", accept_risk: str = "", **gate: Any) -> ScanRequest:
        """Return the request to scan `image`."""
        return ScanRequest(
            name="app",
            image=image,
            settings=self.settings(**gate),
            login=Login(username="acp", password=password or self.lab.registry_password),
            accept_risk=accept_risk,
        )

    def waive(self, text: str) -> None:
        """Write the waivers file."""
        (self.path / "waivers.yaml").write_text(text)

    @property
    def reports(self) -> Path:
        """Where the reports of the image are."""
        return self.path / "reports" / "local" / "app"


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the database of these tests once."""
    place = tmp_path_factory.mktemp("database") / "trivy.db"
    make_database(place, [SOURCES])
    return place


@pytest.fixture
def stand(lab: Lab, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Return a gate with a fresh database, no waivers, and a cache of its own."""
    (tmp_path / "trivy" / "db").mkdir(parents=True)
    (tmp_path / "trivy" / "db" / "trivy.db").symlink_to(database)
    date_database(tmp_path / "trivy", datetime.now(UTC))
    monkeypatch.setattr("infra.checks.gate.CACHE_FOLDER", tmp_path / "cache")
    made = Stand(lab=lab, path=tmp_path)
    made.waive("waivers: []\n")
    return made


@pytest.fixture
def shown() -> list[str]:
    """Collect what is shown."""
    return []


@pytest.fixture
def show(shown: list[str]) -> Callable[[str], None]:
    """Return what shows a line."""
    return shown.append
