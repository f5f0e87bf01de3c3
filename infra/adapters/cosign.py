"""cosign: signs and verifies image digests, and attaches what is known of an image to it in the registry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.adapters.environment import kept_environment
from infra.adapters.process import run
from infra.adapters.registry_login import docker_login
from infra.adapters.tools import tool
from infra.errors import GateError, ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

COSIGN = "cosign"
TIMEOUT_SECONDS = 120.0
PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - the name of a variable
SIGNING = ("ACTIONS_ID_TOKEN_REQUEST_", "SIGSTORE_", "COSIGN_", "TUF_")
"""How the names of variables begin that cosign reads itself: the identity that CI vouches for, and its own settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Whose signatures count: those of a key, or of an identity that an issuer vouches for."""

    public_key_file: str | None = None
    identity: str | None = None
    issuer: str = ""
    label: str = ""

    def options(self) -> list[str]:
        """Return cosign's options; a key's signatures are in no public log."""
        if self.public_key_file:
            return ["--key", self.public_key_file, "--insecure-ignore-tlog=true"]
        return ["--certificate-identity-regexp", self.identity or "", "--certificate-oidc-issuer", self.issuer]

    def __str__(self) -> str:
        """Return who it is, in words."""
        if self.public_key_file:
            return f"the key {self.label or self.public_key_file}"
        return f"{self.identity} ({self.issuer})"


def sign_argv(image: str, key_file: str | None) -> list[str]:
    """Return the command that signs a digest: with a key, or keyless in CI."""
    return [COSIGN, "sign", "--yes", *_signer(key_file), image]


def verify_argv(image: str, verifier: Verifier) -> list[str]:
    """Return the command that verifies the signature of a digest."""
    return [COSIGN, "verify", *verifier.options(), "--output", "json", image]


def attest_argv(image: str, key_file: str | None, *, kind: str, predicate: Path) -> list[str]:
    """Return the command that attaches a signed statement of `kind` to a digest, in place of an older one."""
    return [
        COSIGN, "attest", "--yes", *_signer(key_file), "--replace",
        "--type", kind, "--predicate", str(predicate), image,
    ]  # fmt: skip


def verify_attestation_argv(image: str, verifier: Verifier, *, kind: str) -> list[str]:
    """Return the command that verifies a statement of `kind`."""
    return [COSIGN, "verify-attestation", *verifier.options(), "--type", kind, image]


def _signer(key_file: str | None) -> list[str]:
    return ["--key", key_file, "--tlog-upload=false"] if key_file else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a signature does not count: by a verdict on the image, or because nobody could say."""

    text: str
    is_verdict: bool


OTHER_DIGEST = Problem(text="the signature is of another digest", is_verdict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosign:
    """cosign with one registry login; the password of the private key is only needed for signing."""

    server: str
    username: str
    password: str
    key_password: str = ""

    def sign(self, image: str, key_file: str | None) -> None:
        """Sign a digest; raise `GateError` when that fails."""
        self._must(sign_argv(image, key_file), f"{image} could not be signed")

    def attest(self, image: str, key_file: str | None, *, kind: str, predicate: Path) -> None:
        """Attach a statement; raise `GateError` when that fails."""
        self._must(attest_argv(image, key_file, kind=kind, predicate=predicate), f"{kind} of {image} was not attached")

    def problem(self, image: str, verifier: Verifier) -> Problem | None:
        """Return why the signature of a digest does not count, None when it does."""
        status, output, errors = self._call(verify_argv(image, verifier))
        if status != 0:
            return describe(errors, verifier)
        return None if _claims(output, image) else OTHER_DIGEST

    def attested(self, image: str, verifier: Verifier, *, kind: str) -> bool:
        """Return whether a valid statement of `kind` is attached."""
        return self._call(verify_attestation_argv(image, verifier, kind=kind))[0] == 0

    def _must(self, argv: Sequence[str], what: str) -> None:
        status, _, errors = self._call(argv)
        if status != 0:
            raise GateError(what, where=_last(errors), mend="is the key's password right? Nothing was changed")

    def _call(self, argv: Sequence[str]) -> tuple[int, str, str]:
        with docker_login(self.server, self.username, self.password) as environment:
            secrets = [self.password, self.key_password]
            try:
                done = run(
                    [tool(argv[0]), *argv[1:]],
                    timeout_seconds=TIMEOUT_SECONDS,
                    env=_with_password(environment, self.key_password),
                    redact_values=secrets,
                    check=False,
                )
            except ToolError as error:
                raise GateError(f"the gate cannot judge signatures: {error.what}", mend=error.mend) from None
        return done.exit_status, done.stdout, done.stderr


def describe(errors: str, verifier: Verifier) -> Problem:
    """Return cosign's refusal in our words."""
    low = errors.lower()
    if "no signatures found" in low:
        return Problem(text="it is not signed", is_verdict=True)
    if "no matching signatures" in low and "digest" in low:
        return OTHER_DIGEST
    if "no matching" in low or "invalid signature" in low:
        return Problem(text=f"it is signed, but not by {verifier}", is_verdict=True)
    if "manifest_unknown" in low or "not found" in low:
        return Problem(text="it is not in the registry", is_verdict=True)
    if "unauthorized" in low or "denied" in low:
        return Problem(text="the registry refused the login", is_verdict=False)
    return Problem(text=_last(errors), is_verdict=False)


def _with_password(environment: Mapping[str, str], password: str) -> dict[str, str]:
    """Return the environment with what cosign signs by: CI's word for it, and the key's password.

    cosign would ask for a password that is not there.
    """
    return {**kept_environment(*SIGNING), **environment, PASSWORD: password}


def _claims(output: str, image: str) -> bool:
    """Return whether one of the verified signatures names the digest of `image`."""
    try:
        claims: list[dict[str, Any]] = json.loads(output)
    except ValueError:
        return False
    digest = image.partition("@")[2]
    return any(
        ((claim.get("critical") or {}).get("image") or {}).get("docker-manifest-digest") == digest for claim in claims
    )


def _last(errors: str) -> str:
    return next((line for line in reversed(errors.splitlines()) if line.strip()), "cosign says nothing")
