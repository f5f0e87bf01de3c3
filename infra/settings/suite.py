"""The checks of a stack by name: how bad a failure of each is, and what it takes to pass."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ByteSize, Field, StringConstraints, model_validator

from infra.settings.base import Model, Seconds

Severity = Literal["critical", "warning", "ignore"]
Status = Annotated[str, StringConstraints(min_length=1)]
GIBIBYTE = 1024**3
ROUND_TRIP_SECONDS = 8
"""What a round trip may take where the stack says nothing."""


class Check(Model):
    """One check."""

    severity: Severity = Field(
        default="critical", description="`critical` fails a release, `warning` is reported, `ignore`: not asked."
    )


class OptionalCheck(Check):
    """A check that only stacks have that ask for it."""

    severity: Severity = Field(
        default="ignore", description="`critical` fails a release, `warning` is reported, `ignore`: not asked."
    )


class Version(Check):
    """Version and release id that answer."""

    compare_version: bool = Field(
        default=True,
        description="Compare the version the app tells as well; `false` for an app that does not know what it was "
        "released as.",
    )


class RoundTrip(Check):
    """Something that goes through the app and comes back."""

    within_seconds: Seconds = Field(default=ROUND_TRIP_SECONDS, description="Time it may take.")


class VectorStore(RoundTrip):
    """The store that search finds chunks in."""

    kept_in: Literal["own", "database"] = Field(
        default="own",
        description="`database`: it is a part of the database, so that a failure of both is the latter's.",
    )


class Llm(Check):
    """The LLM endpoint."""

    model: str = Field(default="gpt-4o-mini", min_length=1, description="Model asked for a few words.")
    path: str = Field(default="/chat/completions", pattern=r"^/", description="Path below `LLM_ENDPOINT`.")


class Embedding(Check):
    """The embedding endpoint."""

    model: str = Field(default="text-embedding-3-small", min_length=1, description="Model asked for one embedding.")
    path: str = Field(default="/embeddings", pattern=r"^/", description="Path below `EMBEDDING_ENDPOINT`.")


class DiskSpace(Check):
    """Room on the disk of every host."""

    severity: Severity = Field(
        default="warning", description="`critical` fails a release, `warning` is reported, `ignore`: not asked."
    )
    min_free_bytes: ByteSize = Field(default=ByteSize(2 * GIBIBYTE), description="Free bytes each host must have.")


class Certificate(Check):
    """What the edge shows on its TLS ports; asked where the stack has `edge.tls`."""

    min_days_left: int = Field(default=14, ge=1, description="Days the certificate must still be valid.")


class Suite(Model):
    """Every check by its name."""

    replicas: Check = Field(default_factory=Check, description="Every container of every service runs and is ready.")
    readiness: Check = Field(default_factory=Check, description="Every web service says `ready`, several times.")
    health: Check = Field(default_factory=Check, description="Every web service says `healthy`, several times.")
    version: Version = Field(default_factory=Version, description="Version and release id are the deployed ones.")
    ingest: Check = Field(default_factory=Check, description="A document is taken and its job can be followed.")
    database: Check = Field(default_factory=Check, description="The schema is ready, and what is written can be read.")
    queue: RoundTrip = Field(default_factory=RoundTrip, description="A document goes through Redis and the worker.")
    search: Check = Field(default_factory=Check, description="Search answers.")
    vector_store: VectorStore = Field(default_factory=VectorStore, description="Search finds what was ingested.")
    agents: Check = Field(default_factory=Check, description="An agents job is taken and can be followed.")
    llm_endpoint: Llm = Field(default_factory=Llm, description="The LLM answers the stack's key.")
    embedding_endpoint: Embedding = Field(default_factory=Embedding, description="Embeddings for the stack's key.")
    disk_space: DiskSpace = Field(default_factory=DiskSpace, description="Room on the disk of every host.")
    tls: Certificate = Field(default_factory=Certificate, description="Chain, name, days left and protocol of TLS.")
    metrics: OptionalCheck = Field(default_factory=OptionalCheck, description="Every web service shows its metrics.")
    redirect: OptionalCheck = Field(
        default_factory=OptionalCheck, description="HTTP leads to HTTPS, and HTTPS asks browsers to stay there."
    )

    def check(self, name: str) -> Check:
        """Return a check by its name."""
        found: Check = getattr(self, name)
        return found


class Smoke(Model):
    """A user's path from a pasted document to an agent's answer."""

    within_seconds: Seconds = Field(default=20, description="Time the whole path may take.")
    job: dict[str, Any] = Field(
        default={"question": "What does this say: {text}", "rounds": 1, "pace_seconds": 0},
        description="Body of the agents job, here and under load; `{text}` stands for the text that was pasted.",
    )
    answered: tuple[Status, ...] = Field(
        default=("completed", "awaiting_answers"),
        min_length=1,
        description="Statuses of a job that count as an answer; one that asks its user back has answered, too.",
    )
    failed: tuple[Status, ...] = Field(
        default=("failed", "error", "cancelled", "canceled"), description="Statuses of a job that will not be answered."
    )

    @model_validator(mode="after")
    def _ends_one_way(self) -> Self:
        if both := [status for status in self.answered if status in self.failed]:
            msg = f"{', '.join(both)} stands in both answered and failed; take it out of one"
            raise ValueError(msg)
        return self
