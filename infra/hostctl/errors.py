"""Every error of hostctl: its code, exit status, meaning and mend, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ErrorKind:
    """One row of the error table."""

    code: str
    exit_status: int
    meaning: str
    mend: str


CATALOGUE = (
    ErrorKind("internal", 10, "a bug in hostctl", "report it with the journal of the host"),
    ErrorKind("bad_request", 11, "the request does not validate", "correct the named fields"),
    ErrorKind(
        "not_permitted",
        12,
        "the deploy key may not do this",
        "use the setup key, or take the named field out of the compose file",
    ),
    ErrorKind("wrong_phase", 13, "the rollout is not in a phase that allows this", "look at `status`"),
    ErrorKind("unknown_release", 14, "the host does not know this release", "start it first"),
    ErrorKind("no_parked_release", 15, "no stopped containers of this release are kept", "start it from its images"),
    ErrorKind("trial_over", 16, "the host has reverted the trial by itself", "read `details.reason`, then start again"),
    ErrorKind(
        "lease_held",
        17,
        "somebody else is releasing to this host",
        "wait for them; a dead holder's lease ends within 60 seconds",
    ),
    ErrorKind("lease_lost", 18, "the lease went to somebody else", "stop: another release is being made"),
    ErrorKind("busy", 19, "another hostctl call is running", "try again when it has ended"),
    ErrorKind(
        "docker_unavailable",
        20,
        "Docker does not answer, or refuses this user",
        "is dockerd running, and the user in group docker?",
    ),
    ErrorKind("docker_error", 21, "Docker refused an operation", "read the message"),
    ErrorKind("compose_failed", 22, "docker compose failed", "read the message"),
    ErrorKind(
        "image_pull_denied",
        23,
        "the registry refused the login or the pull",
        "check the registry's user name and password",
    ),
    ErrorKind("image_not_found", 24, "the registry does not have this image", "push it, or correct the reference"),
    ErrorKind(
        "registry_unreachable",
        25,
        "the registry cannot be reached from the host",
        "is the registry up, its name right, its CA trusted on the host?",
    ),
    ErrorKind(
        "wrong_architecture", 26, "the image is for another architecture", "build it for the architecture of the host"
    ),
    ErrorKind(
        "disk_full",
        27,
        "no space is left on the host's disk",
        "free space on the host (`docker system df`), then run again",
    ),
    ErrorKind(
        "insufficient_memory", 28, "not enough memory for two releases", "lower the memory limits or use a larger host"
    ),
    ErrorKind(
        "insufficient_disk", 29, "not enough disk space for two releases", "free space on the host (`docker system df`)"
    ),
    ErrorKind("port_taken", 30, "a port is in use by something else", "stop what uses it, or choose another port"),
    ErrorKind(
        "port_not_published",
        31,
        "the edge does not publish a port that the release needs",
        "set the edge up with this port",
    ),
    ErrorKind("network_missing", 32, "a Docker network does not exist", "refresh the stack: it makes the networks"),
    ErrorKind(
        "candidate_not_ready",
        33,
        "the candidate did not get ready in time",
        "read its log lines; what is asked is `port` and `readiness` of acp:services",
    ),
    ErrorKind("crash_loop", 34, "a container of the candidate ended by itself", "read its log lines"),
    ErrorKind(
        "out_of_memory",
        35,
        "a container was killed for using too much memory",
        "raise its memory limit, or find the leak",
    ),
    ErrorKind("not_healthy", 36, "a data service did not get healthy", "read its log lines"),
    ErrorKind(
        "edge_missing",
        37,
        "the edge is not set up or does not run",
        "run the edge set-up (`pulumi up --stack STACK` with the setup key)",
    ),
    ErrorKind("edge_config_invalid", 38, "HAProxy refused the configuration", "read the message"),
    ErrorKind("edge_failed", 39, "the edge did not do as told", "read the message, look at `docker logs acp-edge`"),
    ErrorKind("certificate_invalid", 40, "the TLS certificate cannot be used", "give a PEM with chain and private key"),
    ErrorKind("key_conflict", 41, "a deploy key may also log in freely", "use a key of its own for deploys"),
    ErrorKind(
        "old_release_not_serving",
        42,
        "after the revert the old release did not answer",
        "look at it now: nothing serves",
    ),
    ErrorKind("unsupported_host", 43, "the host lacks something hostctl needs", "install what the message names"),
    ErrorKind(
        "state_unreadable", 44, "a file of hostctl cannot be read or written", "look at the file that the message names"
    ),
    ErrorKind(
        "not_cleared",
        45,
        "the gate did not let this release through",
        "release with `pulumi up --stack STACK`, which asks the gate; nothing was changed",
    ),
)

KINDS = {kind.code: kind for kind in CATALOGUE}


class HostctlError(Exception):
    """An error with a code of the table, shown to the caller as one JSON line."""

    def __init__(self, code: str, message: str, *, mend: str | None = None, **details: Any) -> None:
        """Keep the parts; `mend` defaults to the one of the table."""
        super().__init__(message)
        self.kind = KINDS[code]
        self.message = message
        self.mend = mend or self.kind.mend
        self.details = details

    @property
    def code(self) -> str:
        """Return the code of the table."""
        return self.kind.code

    def to_event(self) -> dict[str, Any]:
        """Return the JSON line that tells the caller."""
        return {
            "event": "error",
            "code": self.code,
            "message": self.message,
            "mend": self.mend,
            "details": self.details,
        }


def as_markdown() -> str:
    """Return the error table as a Markdown document."""
    rows = [f"| `{kind.code}` | {kind.exit_status} | {kind.meaning} | {kind.mend} |" for kind in CATALOGUE]
    return "\n".join(
        [
            "# hostctl: error codes",
            "",
            "Made by `hostctl --errors`; do not edit. Exit status 0 is a result.",
            "",
            "| code | exit status | meaning | mend |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )
