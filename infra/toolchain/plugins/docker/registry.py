"""A registry's answer to "which digest has this tag"."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.common.gotext import system_error
from infra.toolchain.plugins.docker.proxies import proxies_for

if TYPE_CHECKING:
    from infra.toolchain.plugins.docker.credentials import Login
    from infra.toolchain.plugins.docker.image_name import ImageName

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
ANSWER_TIMEOUT_SECONDS = 60
UNAUTHORIZED = 401
CHALLENGE_PART = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(Exception):
    """The registry refused, or could not be reached; the text says why."""


def image_digest(image: ImageName, login: Login, *, verify: bool) -> str:
    """Return the digest of an image name's manifest; raise `PluginError` in the official plugin's words."""
    try:
        return _digest(image, login, _opener(login.address, verify=verify))
    except RegistryError as error:
        version = f"{image.repository}:{image.reference}"
        message = f"Got error when attempting to fetch image version {version} from registry: {error}"
        raise PluginError(message) from None


def _digest(image: ImageName, login: Login, opener: urllib.request.OpenerDirector) -> str:
    """Ask with the login itself first, then, where the registry wants one, with a token."""
    url = f"{login.address}/v2/{image.repository}/manifests/{image.reference}"
    headers = {"Accept": ", ".join(MANIFESTS)}
    if login.username:
        headers["Authorization"] = login.basic()
    try:
        with _answer(opener, "HEAD", url, headers) as answer:
            return _digest_of(opener, url, headers, answer)
    except urllib.error.HTTPError as error:
        if error.code != UNAUTHORIZED:
            raise _bad_response(error) from None
        challenge = error.headers.get("WWW-Authenticate", "")
        if not challenge.startswith("Bearer"):
            message = f"bad credentials: {error.code} {error.reason}"
            raise RegistryError(message) from None
    headers["Authorization"] = f"Bearer {_token(opener, challenge, image, login)}"
    try:
        with _answer(opener, "HEAD", url, headers) as answer:
            return _digest_of(opener, url, headers, answer)
    except urllib.error.HTTPError as error:
        raise _bad_response(error) from None


def _token(opener: urllib.request.OpenerDirector, challenge: str, image: ImageName, login: Login) -> str:
    """Return a token from the server that the registry's challenge names."""
    wanted = dict(CHALLENGE_PART.findall(challenge))
    scope = wanted.get("scope") or f"repository:{image.repository}:push,pull"
    query = urllib.parse.urlencode({"service": wanted.get("service", ""), "scope": scope})
    headers = {"Authorization": login.basic()} if login.username else {}
    try:
        with _answer(opener, "GET", f"{wanted.get('realm', '')}?{query}", headers) as answer:
            granted = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise _bad_response(error) from None
    except ValueError as error:
        message = f"error parsing OAuth token response: {error}"
        raise RegistryError(message) from None
    token = granted.get("token") or granted.get("access_token")
    if not token:
        message = "error unsupported OAuth response"
        raise RegistryError(message)
    return str(token)


def _digest_of(
    opener: urllib.request.OpenerDirector, url: str, headers: dict[str, str], answer: http.client.HTTPResponse
) -> str:
    """Return the digest a registry sent, or that of the manifest itself."""
    digest = answer.headers.get("Docker-Content-Digest")
    if digest:
        return str(digest)
    with _answer(opener, "GET", url, headers) as whole:
        return f"sha256:{hashlib.sha256(whole.read()).hexdigest()}"


def _answer(
    opener: urllib.request.OpenerDirector, method: str, url: str, headers: dict[str, str]
) -> http.client.HTTPResponse:
    """Return the answer to one request; raise `RegistryError` when there is none."""
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - http(s) only, see credentials
    try:
        answer: http.client.HTTPResponse = opener.open(request, timeout=ANSWER_TIMEOUT_SECONDS)
    except urllib.error.HTTPError:
        raise
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)
        message = f'error during registry request: {method.title()} "{url}": {_transport_error(cause)}'
        raise RegistryError(message) from None
    return answer


def _opener(url: str, *, verify: bool) -> urllib.request.OpenerDirector:
    """Return the HTTP client: trust from SSL_CERT_FILE or the system, proxies from the environment."""
    context = ssl.create_default_context()
    if "SSL_CERT_FILE" not in os.environ:
        for bundle in SYSTEM_BUNDLES:
            if Path(bundle).is_file():
                context.load_verify_locations(bundle)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler(proxies_for(url))
    )


def _bad_response(error: urllib.error.HTTPError) -> RegistryError:
    """Return the error for an answer that is not what was asked for."""
    return RegistryError(f"got bad response from registry: {error.code} {error.reason}")


def _transport_error(cause: object) -> str:
    """Return why there was no answer, in the official plugin's words."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        untrusted = cause.verify_code in {18, 19, 20, 21}
        reason = "certificate signed by unknown authority" if untrusted else cause.verify_message
        return f"tls: failed to verify certificate: x509: {reason}"
    if isinstance(cause, OSError):
        return f"dial tcp: connect: {system_error(cause)}"
    return str(cause)
