"""What an image and a release must show before any host sees them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from infra.settings.base import Model, Name, Seconds


class Signing(Model):
    """Keys of the gate: images are signed with cosign, releases with an SSH key whose public half every host has."""

    release_key_file: str = Field(description="Private SSH key that signs releases; its `.pub` goes to the hosts.")
    image_key_file: str | None = Field(
        default=None, description="Private cosign key (password: secret `COSIGN_PASSWORD`); none: only verified here."
    )
    image_public_key_file: str | None = Field(default=None, description="Public cosign key of the images.")
    identity: str | None = Field(
        default=None, description="Keyless instead of a key: regular expression of the identity that signs."
    )
    issuer: str = Field(
        default="https://token.actions.githubusercontent.com", description="Keyless: who vouches for the identity."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.image_public_key_file is None) == (self.identity is None):
            msg = "needs either image_public_key_file or identity"
            raise ValueError(msg)
        return self


class Gate(Model):
    """What an image must show before any host sees it."""

    block: tuple[Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"], ...] = Field(
        default=("CRITICAL",), description="Severities that block."
    )
    block_unknown: bool = Field(default=True, description="Block what has no severity yet.")
    waivers_file: str = Field(default="stacks/waivers.yaml", description="Reviewed file of accepted findings.")
    max_database_age_seconds: Seconds = Field(default=86_400, description="Age at which the database is refused.")
    rescan_after_seconds: Seconds = Field(default=86_400, description="Age at which a scan is made again.")
    scan_timeout_seconds: Seconds = Field(default=300, description="Deadline of one scan.")
    database_folder: str | None = Field(
        default=None, description="Folder with `db/trivy.db`, kept up to date by somebody else; none: downloaded."
    )
    database_mirror: str | None = Field(default=None, description="OCI repository the database is downloaded from.")
    report_folder: str = Field(default="reports/gate", description="Where JSON, SARIF, tables and SBOMs are written.")
    signing: Signing | None = Field(default=None, description="Signatures; none: neither made nor asked for.")
    rollback_without_registry: bool = Field(
        default=True,
        description="While the registry is down, a rollback to kept containers may rest on its recorded clearance.",
    )
    promoted_from: Name | None = Field(
        default=None, description="Stack that must have released a tag (`image_tag`) before this one may."
    )
