"""The runner's side of hostctl: one JSON request over SSH, progress as it comes, one result or one error."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from infra.adapters.hostctl_session import Sessions
from infra.adapters.process import redact, stream
from infra.adapters.ssh import CONNECTION_FAILED_STATUS, ssh_argv
from infra.errors import (
    CandidateError,
    GateError,
    HostError,
    HostKeyError,
    HostUnreachableError,
    ImageMissingError,
    LeaseHeldError,
    RegistryError,
    ToolError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.settings.model import Host

SESSION = "--session"
ERRORS_BY_CODE: dict[str, type[HostError | RegistryError | GateError]] = {
    "not_cleared": GateError,
    "lease_held": LeaseHeldError,
    "lease_lost": LeaseHeldError,
    "candidate_not_ready": CandidateError,
    "crash_loop": CandidateError,
    "out_of_memory": CandidateError,
    "image_not_found": ImageMissingError,
    "image_pull_denied": RegistryError,
    "registry_unreachable": RegistryError,
}


def _ignore(_phase: str, _message: str) -> None:
    """Drop a progress line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostctlClient:
    """hostctl on one host, called with the deploy key.

    It goes through a shared connection where `control_path` has one, and to a program that is there already where
    `sessions` has one.
    """

    host: Host
    key_file: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    control_path: str = ""
    sessions: Sessions | None = field(default=None, repr=False, compare=False)

    def call(
        self,
        command: str,
        *,
        timeout_seconds: float,
        label: str = "",
        on_progress: Callable[[str, str], None] = _ignore,
        **request: Any,
    ) -> dict[str, Any]:
        """Send one request and return its result; raise the error hostctl answered, or why it could not be asked."""
        answers: list[dict[str, Any]] = []

        def on_line(line: str) -> bool:
            answer = _parse(line)
            if answer.get("event") == "progress":
                on_progress(str(answer.get("phase", command)), redact(str(answer.get("message", "")), self.secrets))
            elif answer.get("event") in {"result", "error"}:
                answers.append(answer)
            return bool(answers)

        body = json.dumps({"command": command, **request})
        try:
            if self.sessions is not None:
                status, errors = self.sessions.ask(body, timeout_seconds=timeout_seconds, on_line=on_line)
            else:
                argv = self._argv(f"{command} {label}".strip())
                status, errors = stream(argv, stdin=body, timeout_seconds=timeout_seconds, on_line=on_line)
        except ToolError as error:
            raise HostUnreachableError(
                f"{self.host.name}: hostctl {command}: {error.what}",
                where=self._where,
                mend=error.mend or "is the host reachable?",
            ) from None
        if not answers:
            raise self._no_answer(command, status, errors)
        answer = answers[-1]
        if answer["event"] == "error":
            raise self.error_of(answer)
        return answer

    def with_sessions(self) -> HostctlClient:
        """Return the same client with sessions of its own, which the caller closes."""
        return replace(self, sessions=Sessions(self._argv(SESSION)))

    def error_of(self, answer: dict[str, Any]) -> HostError | RegistryError | GateError:
        """Return hostctl's error line as an error of this program."""
        kind = ERRORS_BY_CODE.get(str(answer.get("code")), HostError)
        details = answer.get("details") or {}
        text = f"{self.host.name}: {answer.get('message', answer.get('code'))}"
        logs = details.get("logs") or []
        if logs:
            text += "\n  last log lines:\n" + "\n".join(f"    {line}" for line in list(logs)[-10:])
        return kind(redact(text, self.secrets), where=self._where, mend=str(answer.get("mend", "")))

    def _argv(self, arguments: str) -> list[str]:
        return ssh_argv(self.host, self.key_file, command=f"hostctl {arguments}", control_path=self.control_path)

    @property
    def _where(self) -> str:
        return f"host {self.host.name} ({self.host.user}@{self.host.address}:{self.host.port})"

    def _no_answer(self, command: str, status: int, errors: str) -> HostError:
        """Return why there is no answer: another host key, no connection, or a hostctl that died."""
        reason = redact(errors.strip(), self.secrets)
        if (
            "Host key verification failed" in reason
            or "REMOTE HOST IDENTIFICATION" in reason
            or "no matching host key" in reason.lower()
        ):
            return HostKeyError(
                f"{self.host.name} showed another host key than the pinned one",
                where=self._where,
                mend="find out why before you change `hosts[].host_key`: it may be another machine",
            )
        if "Permission denied" in reason:
            return HostError(
                f"{self.host.name} refused the deploy key",
                where=self._where,
                mend="`pulumi up --stack STACK` with the setup key installs the deploy key",
            )
        if status == CONNECTION_FAILED_STATUS or status < 0:
            lost = f"the SSH client was ended by signal {-status}" if status < 0 else "connection lost"
            return HostUnreachableError(
                f"{self.host.name} is not reachable: {reason.splitlines()[-1] if reason else lost}",
                where=self._where,
                mend="is the host up, and sshd reachable? A step under way is finished or reverted by the host itself",
            )
        return HostError(
            f"{self.host.name}: hostctl {command} ended with status {status} and no answer: {reason[-500:]}",
            where=self._where,
            mend="`acp-release status --stack STACK` shows what the host is doing",
        )


def _parse(line: str) -> dict[str, Any]:
    """Return a JSON line as a dict; anything else is dropped (a login banner, for instance)."""
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
