from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.lab import registry

if TYPE_CHECKING:
    from tests.support.lab import Lab

pytestmark = pytest.mark.lab


def _get(lab: Lab, path: str, password: str, *, verify: ssl.SSLContext | bool = True) -> httpx.Response:
    url = f"https://{lab.registry_server}{path}"
    return httpx.get(url, auth=("acp", password), verify=verify, timeout=10, trust_env=False)


def test_the_registry_refuses_a_wrong_password(lab: Lab) -> None:
    """Only the derived password lets anybody in."""
    assert _get(lab, "/v2/", "wrong", verify=lab.tls).status_code == 401
    assert _get(lab, "/v2/", "", verify=lab.tls).status_code == 401
    assert _get(lab, "/v2/", lab.registry_password, verify=lab.tls).status_code == 200


def test_the_registry_is_verified_by_the_labs_authority_only(lab: Lab) -> None:
    """A client without the lab's authority refuses the connection; there is no plain HTTP."""
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        _get(lab, "/v2/", lab.registry_password)
    assert httpx.get(f"http://{lab.registry_server}/v2/", timeout=10, trust_env=False).status_code == 400


def test_the_registry_has_public_images(lab: Lab) -> None:
    """What hosts start comes from the lab's registry under its public name."""
    with registry.client(lab.folder, lab.plan) as http:
        found = registry.digest(http, "library/python:3.13-slim-trixie")
        assert registry.digest(http, "library/nothing:1") is None
    assert found is not None
    assert found.startswith("sha256:")


def test_the_build_machine_trusts_the_registry(lab: Lab) -> None:
    """Programs of this machine verify the registry with the system's own store."""
    store = ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt")
    assert _get(lab, "/v2/", lab.registry_password, verify=store).status_code == 200


def test_a_manifest_can_be_deleted(lab: Lab) -> None:
    """Deletion is on, as pruning needs: deleting what is not there is 404, not 405."""
    url = f"https://{lab.registry_server}/v2/library/haproxy/manifests/sha256:{'0' * 64}"
    auth = ("acp", lab.registry_password)
    assert httpx.delete(url, auth=auth, verify=lab.tls, timeout=10, trust_env=False).status_code == 404
