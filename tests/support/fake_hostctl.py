"""hostctl clients that answer from a script and fail on a call nobody expected."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.errors import ReleaseError
from infra.rollout.context import RolloutContext
from infra.rollout.hosts import HostGroup
from infra.settings.secrets import SecretValues
from tests.support.release import make_release
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.settings import Settings
    from infra.settings.model import Host

SECRETS = {"SECRET_KEY": "s3cr3t-key", "DATABASE_URL": "postgresql://s3cr3t-db"}
PREVIOUS = "v1.4.1-00000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that reached a host."""

    host: str
    command: str
    request: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Journal:
    """All calls of a rollout over all hosts, in order."""

    calls: list[Call] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def commands(self, host: str) -> list[str]:
        """Return what one host was told, in order."""
        return [call.command for call in self.calls if call.host == host]

    def of(self, command: str) -> list[Call]:
        """Return the calls of one command on all hosts, in the order of the hosts."""
        return sorted((call for call in self.calls if call.command == command), key=lambda call: call.host)

    def steps(self) -> list[str]:
        """Return the commands in order, each group of equal ones on all hosts once: the lockstep."""
        steps: list[str] = []
        for call in self.calls:
            if not steps or steps[-1] != call.command:
                steps.append(call.command)
        return steps


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeClient:
    """hostctl on one host; an answer is a dict, an error to raise, or a function of the request that gives either."""

    host: Host
    journal: Journal
    answers: dict[str, Any]
    key_file: str = "/keys/deploy"

    def call(
        self,
        command: str,
        *,
        timeout_seconds: float,
        label: str = "",
        on_progress: Callable[[str, str], None] | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        """Answer as the script says; a command it does not have is remembered and fails."""
        if on_progress is not None:
            on_progress(command, f"at work on {command}")
        with self.journal.lock:
            self.journal.calls.append(Call(host=self.host.name, command=command, request=request))
            answer = self.answers.get(command)
            if callable(answer) and not isinstance(answer, type):
                answer = answer(request)
        if answer is None:
            self.journal.unexpected.append(f"{self.host.name}: {command}")
            raise AssertionError(f"{self.host.name}: nobody expected {command}")
        if isinstance(answer, BaseException):
            raise answer
        result: dict[str, Any] = answer
        return result


def good_answers(host: str, release: str, *, previous: str | None = PREVIOUS) -> dict[str, Any]:
    """Return what a host answers in a rollout where all goes well."""
    return {
        "start": {"release": release, "phase": "ready", "verify": {"acp-ingest": 18000, "acp-agents": 18001},
                  "previous": previous},
        "shift": {"phase": "shift"},
        "cutover": {"phase": "cutover"},
        "counters": {"at": 0.0, "services": {}},
        "commit": {"phase": "committed", "previous": previous},
        "drain": {"drained": previous, "cut": []},
        "park": {"parked": previous},
        "prune": {"removed": []},
        "renew": {},
        "revert": {"reverted": True, "serving": previous, "restore_seconds": 0.05},
        "lease": lambda request: {"lease": {"holder": request.get("holder"), "fence": 7}, "taken_over_from": None},
        "preflight": {"ok": True, "checks": [{"name": "memory", "ok": True, "detail": "20 GiB are free"}]},
        "status": {"serving": previous, "candidate": None, "previous": None,
                   "services": [{"name": "acp-ingest"}, {"name": "acp-agents"}]},
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A rollout about to begin over fake hosts; `answers` may be bent by host and command."""

    context: RolloutContext
    journal: Journal
    answers: dict[str, dict[str, Any]]

    def answer(self, command: str, answer: Any, *, host: str = "") -> None:
        """Let one host (or all) answer `command` like this."""
        for name, answers in self.answers.items():
            if not host or name == host:
                answers[command] = answer


def make_stage(settings: Settings | None = None, *, previous: str | None = PREVIOUS, leased: bool = True) -> Stage:
    """Return a rollout of a release over the two hosts of the test stack."""
    settings = settings or make_settings(secrets={"prefix": "LOCAL_", "names": list(SECRETS)})
    release = make_release(settings, fingerprints={})
    journal = Journal()
    answers = {host.name: good_answers(host.name, release.id, previous=previous) for host in settings.hosts}
    clients: Any = [FakeClient(host=host, journal=journal, answers=answers[host.name]) for host in settings.hosts]
    leases = {host.name: {"holder": "run-1", "fence": 7} for host in settings.hosts} if leased else {}
    context = RolloutContext(
        settings=settings,
        spec=release.spec,
        run_id="run-1",
        group=HostGroup(clients=clients, leases=leases),
        secrets=SecretValues(values={**SECRETS, "REGISTRY_PASSWORD": "s3cr3t-registry"}),
    )
    return Stage(context=context, journal=journal, answers=answers)


def refusal(what: str = "no", kind: type[ReleaseError] = ReleaseError) -> ReleaseError:
    """Return an error of a host."""
    return kind(what, where="host", mend="mend it")
