"""The lab's registry: TLS by the lab's authority, login by password, data in a docker volume."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import bcrypt
import httpx

from infra.lab import certs
from infra.lab.folder import LabFolder, write_atomically
from infra.lab.seed import derive, read_seed
from infra.lab.spec import ContainerSpec, content_digest

if TYPE_CHECKING:
    from infra.lab.plan import AddressPlan

USERNAME = "acp"
# The password is 160 random bits, which no hash has to slow a guess at; the registry checks it on every request.
BCRYPT_ROUNDS = 5
MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
)
REQUEST_SECONDS = 10.0


def password(folder: LabFolder) -> str:
    """Return the password of the user `acp`."""
    return derive(read_seed(folder.path), "REGISTRY_PASSWORD")


def ensure_authority(folder: LabFolder, plan: AddressPlan) -> certs.Pair:
    """See to the lab's authority; it is made anew before it expires or when the lab has another subnet."""
    if folder.ca_file.exists() and folder.ca_key_file.exists():
        pair = certs.Pair(
            certificate=folder.ca_file.read_text(encoding="ascii"), key=folder.ca_key_file.read_text(encoding="ascii")
        )
        if certs.usable(pair.certificate) and certs.permits(pair.certificate, plan.subnet):
            return pair
    pair = certs.make_authority(f"{plan.network} authority", plan.subnet)
    write_atomically(folder.ca_key_file, pair.key)
    write_atomically(folder.ca_file, pair.certificate, mode=0o644)
    return pair


def ensure_files(folder: LabFolder, plan: AddressPlan, authority: certs.Pair) -> str:
    """See to the registry's certificate, key and password hashes; return a digest of them."""
    certificate_file, key_file = folder.registry / "server.pem", folder.registry / "server.key"
    htpasswd_file = folder.registry / "htpasswd"
    certificate = certificate_file.read_text(encoding="ascii") if certificate_file.exists() else ""
    wanted = (plan.registry_address,)
    if not (key_file.exists() and certs.usable(certificate, issuer=authority.certificate, addresses=wanted)):
        pair = certs.issue(authority, addresses=wanted)
        write_atomically(key_file, pair.key)
        write_atomically(certificate_file, pair.certificate)
    if not (htpasswd_file.exists() and _accepts(htpasswd_file.read_text(encoding="ascii"), password(folder))):
        hashed = bcrypt.hashpw(password(folder).encode(), bcrypt.gensalt(BCRYPT_ROUNDS)).decode()
        write_atomically(htpasswd_file, f"{USERNAME}:{hashed}\n")
    return content_digest({path.name: path.read_text(encoding="ascii") for path in (certificate_file, htpasswd_file)})


def _accepts(htpasswd: str, word: str) -> bool:
    """Say whether an htpasswd file lets `acp` in with `word`."""
    name, _, hashed = htpasswd.strip().partition(":")
    try:
        return name == USERNAME and bcrypt.checkpw(word.encode(), hashed.encode())
    except ValueError:
        return False


def volume(plan: AddressPlan) -> str:
    """Return the volume that holds the registry's data."""
    return plan.container("registry")


def spec(folder: LabFolder, plan: AddressPlan, image: str, content: str) -> ContainerSpec:
    """Return the registry's container."""
    return ContainerSpec(
        name=plan.container("registry"),
        image=image,
        network=plan.network,
        address=plan.registry_address,
        environment={
            "REGISTRY_HTTP_SECRET": derive(read_seed(folder.path), "REGISTRY_HTTP_SECRET"),
            "REGISTRY_STORAGE_DELETE_ENABLED": "true",
        },
        mounts=(f"{folder.registry}:/etc/acp-lab:ro", f"{volume(plan)}:/var/lib/registry"),
        flags=("--read-only", "--security-opt", "no-new-privileges"),
        content=content,
    )


def client(folder: LabFolder, plan: AddressPlan) -> httpx.Client:
    """Return an HTTP client that is logged in to the registry and trusts the lab's authority only."""
    return httpx.Client(
        base_url=f"https://{plan.registry_server}",
        auth=(USERNAME, password(folder)),
        verify=ssl.create_default_context(cafile=str(folder.ca_file)),
        timeout=REQUEST_SECONDS,
        trust_env=False,
    )


def answers(folder: LabFolder, plan: AddressPlan) -> bool:
    """Say whether the registry lets the lab's user in."""
    try:
        with client(folder, plan) as http:
            return http.get("/v2/").status_code == httpx.codes.OK
    except (httpx.HTTPError, OSError):
        return False


def digest(http: httpx.Client, name: str) -> str | None:
    """Return the digest the registry has for `repository:tag`, None when it has none."""
    repository, _, tag = name.rpartition(":")
    answer = http.head(f"/v2/{repository}/manifests/{tag}", headers={"Accept": MANIFEST_TYPES})
    return answer.headers.get("Docker-Content-Digest") if answer.status_code == httpx.codes.OK else None
