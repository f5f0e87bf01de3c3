"""The registry's own API: is it there, has it a digest, which tags, and the removal of one digest."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import httpx

from infra.adapters.files import key_path
from infra.errors import RegistryError, SettingsError

if TYPE_CHECKING:
    from types import TracebackType

    from infra.settings.model import Registry

ANSWER_SECONDS = 10.0
CONNECT_SECONDS = 3.0
PAGE = 1000
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
DIGEST_HEADER = "Docker-Content-Digest"


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Return what a registry's certificate is judged by: the system's trusted ones, and the stack's own CA."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=str(key_path(ca_file)))
        except OSError as error:
            raise SettingsError("the registry's CA", [f"registry.ca_file: {ca_file}: {error.strerror}"]) from None
    return context


@dataclass(slots=True, kw_only=True)
class RegistryApi:
    """One registry with its login; a context manager."""

    server: str
    username: str
    password: str = field(repr=False)
    client: httpx.Client = field(repr=False)

    @classmethod
    def open(cls, registry: Registry, password: str) -> RegistryApi:
        """Return the API of a stack's registry."""
        client = httpx.Client(
            base_url=f"https://{registry.server}",
            verify=trust(registry.ca_file),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )
        return cls(server=registry.server, username=registry.username, password=password, client=client)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.client.close()

    def answers(self) -> bool:
        """Return whether anybody answers there as a registry does, with or without a login."""
        try:
            status = self.client.get("/v2/").status_code
        except httpx.TransportError:
            return False
        return status < httpx.codes.INTERNAL_SERVER_ERROR

    def has(self, repository: str, digest: str) -> bool:
        """Return whether the registry has a digest."""
        answer = self._ask("HEAD", f"/v2/{repository}/manifests/{digest}", actions="pull", repository=repository)
        return answer.status_code == httpx.codes.OK

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository; none when it is not there."""
        answer = self._ask("GET", f"/v2/{repository}/tags/list?n={PAGE}", actions="pull", repository=repository)
        return list(answer.json().get("tags") or []) if answer.status_code == httpx.codes.OK else []

    def digest(self, repository: str, tag: str) -> str:
        """Return the digest that a tag names now, empty when there is no such tag."""
        answer = self._ask("HEAD", f"/v2/{repository}/manifests/{tag}", actions="pull", repository=repository)
        return str(answer.headers.get(DIGEST_HEADER, "")) if answer.status_code == httpx.codes.OK else ""

    def delete(self, repository: str, digest: str) -> None:
        """Remove a digest with its tags; raise `RegistryError` when the registry does not do that."""
        path = f"/v2/{repository}/manifests/{digest}"
        answer = self._ask("DELETE", path, actions="pull,delete", repository=repository)
        if answer.status_code not in {httpx.codes.ACCEPTED, httpx.codes.NOT_FOUND}:
            raise RegistryError(
                f"{repository}@{digest} was not removed: the registry answered {answer.status_code}",
                where=self.server,
                mend="is deletion enabled there, and may this login delete?",
            )

    def _ask(self, method: str, path: str, *, actions: str, repository: str) -> httpx.Response:
        """Send a request with the login, as a token where the registry asks for one."""
        headers = {"Accept": MANIFESTS}
        try:
            answer = self.client.request(method, path, headers=headers, auth=(self.username, self.password))
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.status_code == httpx.codes.UNAUTHORIZED and challenge.lower().startswith("bearer "):
                token = self._token(challenge, f"repository:{repository}:{actions}")
                answer = self.client.request(method, path, headers={**headers, "Authorization": f"Bearer {token}"})
        except httpx.TransportError as error:
            raise RegistryError(
                f"the registry did not answer: {type(error).__name__}", where=self.server, mend="is it up?"
            ) from None
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise RegistryError(
                "the registry refused the login",
                where=self.server,
                mend="check `registry.username` and the secret REGISTRY_PASSWORD",
            )
        return answer

    def _token(self, challenge: str, scope: str) -> str:
        """Return a token from where the registry's challenge says."""
        parts = dict(CHALLENGE.findall(challenge))
        asked = {"service": parts.get("service", ""), "scope": scope}
        answer = self.client.get(parts.get("realm", ""), params=asked, auth=(self.username, self.password))
        document = answer.json() if answer.status_code == httpx.codes.OK else {}
        return str(document.get("token") or document.get("access_token") or "")
