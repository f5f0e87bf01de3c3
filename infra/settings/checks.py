"""What is verified of a release before traffic and after cutover."""

from __future__ import annotations

from pydantic import Field

from infra.settings.base import Model, Name, Seconds
from infra.settings.suite import Smoke, Suite


class Checks(Model):
    """What is verified before traffic and after cutover."""

    passes: int = Field(default=2, ge=1, description="Consecutive passes of every health check.")
    interval_seconds: Seconds = Field(default=0.3, description="Time between two passes.")
    timeout_seconds: Seconds = Field(default=30, description="Deadline of all checks together.")
    healthy_before: bool = Field(
        default=True, description="Refuse a release while the current one reports a dependency down."
    )
    ingest_service: Name = Field(default="acp-ingest", description="Web service that takes documents and searches.")
    agents_service: Name = Field(default="acp-agents", description="Web service that takes agents jobs.")
    suite: Suite = Field(default_factory=Suite, description="Every check by its name.")
    smoke: Smoke = Field(default_factory=Smoke, description="A user's path, walked before traffic and after cutover.")
