"""How the zero-drop certificate of a release is measured, and whether a loss fails the release."""

from __future__ import annotations

from pydantic import Field

from infra.settings.base import Model, Seconds


class CertificateRules(Model):
    """How the zero-drop certificate is measured."""

    rate: float = Field(default=20, gt=0, le=1000, description="Requests per second over all public routes together.")
    path: str = Field(
        default="/version", pattern=r"^/", description="Path asked with GET on every public port; cheap for the app."
    )
    slow_ms: float = Field(default=1000, gt=0, description="Milliseconds above which an answer counts as slow.")
    max_seconds: Seconds = Field(default=7200, description="The probe ends by itself after this time.")
    fail_on_loss: bool = Field(
        default=False, description="A lost request fails the release: before the commit it is reverted."
    )
