from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.hostctl.build import ENTRY, build_zipapp
from infra.lab.docker import docker
from infra.lab.images import Images
from infra.lab.push import push_missing
from infra.toolchain.progress import Progress
from tests.integration.hostctl.site import NETWORK, Site, build_image
from tests.support.hooks.sitecustomize import observed
from tests.support.lab import Lab, own_lab

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = Path(__file__).with_name("app")
VERIFY_PORTS = [18000, 18001, 18002, 18003]


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a host of its own with hostctl (that a test can kill at a journal entry) and an edge."""
    folder = tmp_path_factory.mktemp("lab")
    with own_lab(folder, hosts=1, library=("python", "haproxy")) as lab:
        site = Site(lab=lab, images=_images(lab, folder))
        site.docker("network", "create", NETWORK)
        _install(site, folder)
        site.edge()
        site.release("v1.0.0-first")
        yield site


def _images(lab: Lab, folder: Path) -> dict[str, str]:
    """Push a tiny app and two HAProxy images that differ; return them by digest."""
    progress = Progress()
    images = Images(progress)
    built = {"app": "acp-hostctl-test/app", "haproxy": images.ensure("haproxy"), "newer": "acp-hostctl-test/haproxy"}
    docker("build", "--quiet", "--build-arg", f"BASE={images.ensure('python')}", "--tag", built["app"], str(APP))
    build_image(folder / "newer", built["newer"], f"FROM {built['haproxy']}\n", "--label", "newer=yes")
    wanted = {
        f"hc/{name}:1": (tag, docker("inspect", "--format", "{{.Id}}", tag).stdout.strip())
        for name, tag in built.items()
    }
    pushed = push_missing(lab.folder, lab.plan, wanted, {}, progress)
    return {name: f"{lab.registry_server}/hc/{name}@{pushed[f'hc/{name}:1'].split()[1]}" for name in built}


def _install(site: Site, folder: Path) -> None:
    """Install hostctl with the setup key and bind the deploy key to it."""
    built = build_zipapp(folder, **observed(ENTRY))
    docker("cp", str(built.path), f"{site.machine.container}:/hostctl.pyz")
    public = (site.lab.folder.keys / "deploy.pub").read_text(encoding="ascii").strip()
    request = json.dumps({"deploy_keys": [public], "permit_ports": VERIFY_PORTS})
    done = site.lab.ssh(1, "python3 /hostctl.pyz install", stdin=request)
    assert json.loads(done.stdout)["version"] == built.version, done.stdout + done.stderr
