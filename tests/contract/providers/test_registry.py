from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pulumi
import pytest

from infra.lab import certs
from tests.contract.providers.sdk import Provider, ProviderRegistryAuthArgs, get_registry_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contract.providers.engine_run import Outcome, StackRun
    from tests.support.lab import Lab

pytestmark = pytest.mark.lab

REPOSITORY = "contract/providers"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG = b"{}"
WRONG_PASSWORD = "wrong-0c44d1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """An image and an index in the lab's registry, with their digests."""

    server: str
    digest: str
    index_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What look-ups said, where the registry's authority is trusted and where it is not."""

    trusted: Outcome
    untrusted: Outcome
    stored: str


def digest_of(content: bytes) -> str:
    """Return a content's digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture(scope="module")
def images(lab: Lab) -> Images:
    """Push an empty image and an index of it."""
    descriptor = {"digest": digest_of(CONFIG), "size": len(CONFIG)}
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **descriptor}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": []}).encode()
    entry = {"mediaType": MANIFEST_TYPE, "digest": digest_of(manifest), "size": len(manifest)}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]}).encode()
    login = ("acp", lab.registry_password)
    with httpx.Client(base_url=f"https://{lab.registry_server}", auth=login, verify=lab.tls) as client:
        upload = client.post(f"/v2/{REPOSITORY}/blobs/uploads/").raise_for_status().headers["Location"]
        target = httpx.URL(upload).copy_merge_params({"digest": digest_of(CONFIG)})
        client.put(target, content=CONFIG).raise_for_status()
        for tag, content, media_type in (("image", manifest, MANIFEST_TYPE), ("index", index, INDEX_TYPE)):
            url, headers = f"/v2/{REPOSITORY}/manifests/{tag}", {"Content-Type": media_type}
            client.put(url, content=content, headers=headers).raise_for_status()
    return Images(server=lab.registry_server, digest=digest_of(manifest), index_digest=digest_of(index))


def look_up(lab: Lab, images: Images) -> None:
    """Look images up and export what came, or how the look-up failed."""

    def provider(name: str, password: str) -> pulumi.InvokeOptions:
        auth = ProviderRegistryAuthArgs(address=images.server, username="acp", password=pulumi.Output.secret(password))
        made = Provider(name, host="ssh://nobody@127.0.0.1:1", registry_auth=[auth])
        return pulumi.InvokeOptions(provider=made)

    known, wrong = provider("known", lab.registry_password), provider("wrong", WRONG_PASSWORD)

    def export(name: str, reference: str, opts: pulumi.InvokeOptions, **arguments: Any) -> None:
        try:
            found = get_registry_image(name=f"{images.server}/{reference}", opts=opts, **arguments)
        except Exception as error:  # noqa: BLE001 - a failed look-up reaches the program as a plain Exception
            pulumi.export(name, [type(error).__name__, str(error)])
        else:
            pulumi.export(name, [found.name, found.id, found.sha256_digest])

    export("image", f"{REPOSITORY}:image", known)
    export("index", f"{REPOSITORY}:index", known)
    export("by-digest", f"{REPOSITORY}:index@{images.digest}", known)
    export("missing-tag", f"{REPOSITORY}:missing", known)
    export("missing-repository", "contract/nothing:here", known)
    export("wrong-password", f"{REPOSITORY}:image", wrong)
    export("unverified", f"{REPOSITORY}:image", known, insecure_skip_verify=True)


@pytest.fixture(scope="module")
def steps(
    lab: Lab, images: Images, new_stack: Callable[..., StackRun], tmp_path_factory: pytest.TempPathFactory
) -> Steps:
    """Look up with the lab's authority trusted, then with another one in its place."""
    folder = tmp_path_factory.mktemp("trust")
    trusted_file = shutil.copy(lab.folder.ca_file, folder / "trusted.pem")
    other_file = other_authority(lab, folder)
    nowhere = {"SSL_CERT_DIR": str(folder / "none")}
    stack = new_stack(SSL_CERT_FILE=str(trusted_file), **nowhere)
    trusted = stack.up(lambda: look_up(lab, images))
    untrusted = new_stack(SSL_CERT_FILE=str(other_file), **nowhere).up(lambda: look_up(lab, images))
    return Steps(trusted=trusted, untrusted=untrusted, stored=stack.stored())


def other_authority(lab: Lab, folder: Path) -> Path:
    """Write an authority's certificate that has nothing to do with the lab's."""
    path = folder / "other.pem"
    path.write_text(certs.make_authority("another authority", lab.plan.subnet).certificate, encoding="ascii")
    return path


def test_tag_gives_name_id_and_digest(steps: Steps, images: Images) -> None:
    """A published tag gives its name as asked for, and its digest as `id` and `sha256Digest`."""
    assert steps.trusted.outputs["image"] == [f"{images.server}/{REPOSITORY}:image", images.digest, images.digest]


def test_index_gives_its_own_digest(steps: Steps, images: Images) -> None:
    """A multi-platform tag gives the index's digest, not that of one platform."""
    assert steps.trusted.outputs["index"][2] == images.index_digest


def test_name_with_digest_gives_that_digest(steps: Steps, images: Images) -> None:
    """A name with a digest is looked up by it; the tag beside it does not matter."""
    assert steps.trusted.outputs["by-digest"][2] == images.digest


@pytest.mark.parametrize("name", ["missing-tag", "missing-repository"])
def test_missing_image_is_told(steps: Steps, name: str) -> None:
    """A tag or repository that is not there is a plain Exception with the registry's status."""
    kind, text = steps.trusted.outputs[name]
    assert kind == "Exception"
    assert "got bad response from registry: 404 Not Found" in text


def test_wrong_password_is_told_without_it(steps: Steps) -> None:
    """A refused login is told as such, and neither password is in the text."""
    kind, text = steps.trusted.outputs["wrong-password"]
    assert kind == "Exception"
    assert "bad credentials: 401 Unauthorized" in text
    assert WRONG_PASSWORD not in text


def test_unknown_authority_is_refused(steps: Steps) -> None:
    """A registry whose authority SSL_CERT_FILE does not have is refused."""
    kind, text = steps.untrusted.outputs["image"]
    assert kind == "Exception"
    assert "x509: certificate signed by unknown authority" in text


def test_verification_can_be_left_out(steps: Steps, images: Images) -> None:
    """`insecureSkipVerify` asks a registry that is not trusted all the same."""
    assert steps.untrusted.outputs["unverified"][2] == images.digest


def test_look_ups_never_touch_the_host_and_keep_the_password_secret(steps: Steps, lab: Lab) -> None:
    """The provider's host cannot be reached and nothing minds; the passwords are not in clear in the state."""
    assert steps.trusted.succeeded
    assert lab.registry_password not in steps.stored
    assert WRONG_PASSWORD not in steps.stored
