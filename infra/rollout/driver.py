"""The rollout: verify the candidate alone, move traffic in lockstep, judge, then commit, or revert and fail."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor, wait
from queue import Queue
from typing import TYPE_CHECKING, Any

from infra.checks.cleanup import CLEANUP_SECONDS
from infra.errors import HostError, ReleaseError, RolloutError
from infra.rollout import standstill
from infra.rollout.anchoring import Anchoring, begin_anchoring
from infra.rollout.canary import Canary
from infra.rollout.context import open_context, sharing_connections
from infra.rollout.counters import Counters
from infra.rollout.heartbeat import Heartbeat
from infra.rollout.lease_keeper import are_kept, take_over_leases
from infra.rollout.load import load_release, require_stood
from infra.rollout.preflight import give_back, run_preflight
from infra.rollout.regression import compare_releases, require_as_good
from infra.rollout.retention import prune_host
from infra.rollout.revert import Revert
from infra.rollout.standstill import Standstill, thresholds_of
from infra.rollout.verification import (
    examine_candidate,
    examine_public,
    hand_in_early,
    judge,
    mark_known,
)
from infra.rollout.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from infra.adapters.hostctl import HostctlClient
    from infra.checks.result import CheckResult
    from infra.checks.suite import Examination
    from infra.domain.regression import Judgement
    from infra.rollout.context import RolloutContext
    from infra.rollout.hosts import HostGroup

QUICK_SECONDS = 60.0
START_SECONDS = 900.0
DRAIN_MARGIN_SECONDS = 60.0
FULL_WEIGHT = 100
ALL_BUT_WAITING = "candidate verified but for its agents' answer"
VERIFIED = "candidate verified"
"""Steps of the timeline by name."""


def run_rollout(props: Mapping[str, Any], show: Callable[[str], None]) -> dict[str, Any]:
    """Take one release through a whole rollout and return what happened; raise `RolloutError` after a revert."""
    if not are_kept(props["run_id"]):
        # The rollout alone is made anew, as `--replace` and a deleted resource ask for: its leases are long given back.
        props = {**props, **run_preflight(props, show)}
    context = open_context(props)
    try:
        with sharing_connections(context) as connected:
            return Rollout(connected, show).run()
    finally:
        take_over_leases(context.run_id, waits=False)


class Rollout:
    """One rollout over all hosts of a stack."""

    def __init__(self, context: RolloutContext, show: Callable[[str], None]) -> None:
        """Prepare; nothing happens before `run`."""
        self._context = context
        self._group = context.group
        self._release = context.release
        self._show = show
        self._checks: list[CheckResult] = []
        self._jobs: Mapping[str, str] = {}
        self._timeline: dict[str, float] = {}
        self._started = time.monotonic()
        self._previous: str | None = None
        self._warm: dict[str, bool] = {}
        self._anchoring = Anchoring()
        self._committing: frozenset[str] = frozenset()
        self._committed: Mapping[str, Mapping[str, Any]] = {}
        self._answers: Mapping[str, Mapping[str, Any]] = {}
        self._handed_in: Mapping[str, str] = {}
        self._regression: list[dict[str, Any]] = []
        self._load: list[dict[str, Any]] = []
        self._examining: Future[Examination] | None = None
        self._witness = Witness(context, show)

    @property
    def _is_rollback(self) -> bool:
        return bool(self._context.settings.rollback_to)

    def run(self) -> dict[str, Any]:
        """Take the release through every step under the eyes of the witness, and report on it however it ends."""
        with self._witness:
            try:
                warnings = self._run()
            except ReleaseError as error:
                self._witness.failed(self._report([]), error)
                raise
            return self._witness.released(self._report(warnings))

    def _run(self) -> list[str]:
        """Run every step; whatever fails before the commit is reverted on all hosts. Return the warnings after it."""
        try:
            self._anchoring = begin_anchoring(self._context, self._show)
            self._witness.begin()
            with self._heartbeat() as heartbeat:
                verify = self._ensure_candidates(heartbeat)
                take_over_leases(self._context.run_id)
                # A host that serves the release already, since a run before this one committed there, has no trial.
                trial = self._group.only(verify)
                self._witness.served_before(set(self._answers) - set(verify))
                if verify:
                    self._verify_candidates(verify)
                    heartbeat.check()
                    self._shift(trial, heartbeat)
                self._verify_public(heartbeat, is_moved=bool(verify))
                self._put_under_load()
                self._witness.require_good()
                heartbeat.check()
                heartbeat.stop()
                self._committing = frozenset(verify)
                self._committed = trial.call(
                    "commit", timeout_seconds=QUICK_SECONDS, release=self._release, **self._anchoring.request()
                )
                self._mark("committed")
        except ReleaseError as error:
            raise self._revert(error) from None
        except BaseException as error:  # noqa: BLE001 - whatever it was, the old release must serve again
            raise self._revert(RolloutError(f"{type(error).__name__}: {error}")) from None
        warnings = self._retire()
        give_back(self._context, self._group.leases)
        return warnings

    def _report(self, warnings: list[str]) -> dict[str, Any]:
        """Return what the driver itself saw up to now."""
        return {
            "previous": self._previous,
            "checks": [result.to_json() for result in self._checks],
            "timeline": self._timeline,
            "warnings": warnings,
            "warm": self._warm,
            "audit": self._anchoring.report(self._committed),
            "regression": self._regression,
            "load": self._load,
        }

    def _heartbeat(self) -> Heartbeat:
        """Return what renews lease and trial while the driver works, on each host from when its candidate is ready."""
        rollout = self._context.settings.rollout
        return Heartbeat(
            self._group,
            self._release,
            interval_seconds=rollout.heartbeat_seconds,
            silent_seconds=rollout.lease_seconds,
        )

    def _ensure_candidates(self, heartbeat: Heartbeat) -> dict[str, dict[str, int]]:
        """Wait until every candidate is ready and return each host's verification ports.

        As soon as all of them answer, their agents are given the smoke test's job: the model works on it while they
        answer ready as often as it takes.
        """
        answers = self._start("answering", heartbeat)
        if anew := {name: answer["verify"] for name, answer in answers.items() if answer["phase"] == "answering"}:
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="early") as pool:
                pool.submit(self._hand_in, anew)
                answers = self._start("ready", heartbeat)
        self._answers = answers
        self._previous = next((a["previous"] for a in answers.values() if a.get("previous")), None)
        self._warm = {name: bool(answer.get("warm")) for name, answer in answers.items()}
        self._mark("candidate ready")
        return {name: answer["verify"] for name, answer in answers.items() if answer["phase"] != "serving"}

    def _hand_in(self, verify: Mapping[str, Mapping[str, int]]) -> None:
        """Give the agents the job, and keep its ids for the smoke test, or for a revert that comes first."""
        self._handed_in = hand_in_early(self._context, verify)

    def _start(self, until: str, heartbeat: Heartbeat) -> dict[str, dict[str, Any]]:
        """Let every host bring its candidate as far as `until`; trials of those that are there do not end meanwhile.

        One that a host gave up meanwhile, or has kept for a rollback, is started here, and a kept one is ready at once.
        """
        context = self._context
        request = {
            "until": until,
            "spec": dict(context.spec),
            "secrets": context.secrets.subset(context.settings.secrets.names),
            "registry": context.registry_login,
            "confirm_timeout_seconds": context.settings.rollout.confirm_timeout_seconds,
            "workers_later": self._is_rollback,
            **({"clearance": dict(context.clearance)} if context.clearance else {}),
        }

        def start(client: HostctlClient) -> dict[str, Any]:
            answer = self._group.ask(client, "start", timeout_seconds=START_SECONDS, show=self._show, **request)
            if answer["phase"] not in {"answering", "serving"}:
                heartbeat.watch({client.host.name})
            return answer

        return self._group.each(start)

    def _verify_candidates(self, verify: Mapping[str, Mapping[str, int]]) -> None:
        """Check each candidate alone, through SSH, before it gets any traffic, and compare it with what serves.

        The agents' answer waits for the model, and the comparison uses that time. Where a rollback found its containers
        kept, they have walked a user's path before, and their workers come with the cutover.
        """
        returning = {name: ports for name, ports in verify.items() if self._is_rollback and self._warm[name]}
        if returning:
            self._judge(examine_candidate(self._context, returning, is_returning=True), "the candidate")
        if anew := {name: ports for name, ports in verify.items() if name not in returning}:
            self._verify_anew(anew)
        else:
            self._mark(VERIFIED)

    def _verify_anew(self, verify: Mapping[str, Mapping[str, int]]) -> None:
        """Check candidates in new containers, and compare them with what serves while their agents answer.

        What comes after `ALL_BUT_WAITING` is time in which nothing is done to a host: a look at how both do, and the
        model's own time.
        """
        quiet: Queue[Sequence[CheckResult] | None] = Queue()
        handed_in, self._handed_in = self._handed_in, {}
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="candidate") as pool:
            examining = pool.submit(examine_candidate, self._context, verify, handed_in=handed_in, on_quiet=quiet.put)
            examining.add_done_callback(lambda _: quiet.put(None))
            so_far, verdicts = quiet.get(), []
            if so_far is not None and not any(result.fails_release for result in so_far):
                self._mark(ALL_BUT_WAITING)
                verdicts = self._compare()
            self._judge(examining.result(), "the candidate")
        self._mark(VERIFIED)
        require_as_good(self._context, verdicts)
        if verdicts:
            self._mark("candidate compared with the current release")

    def _compare(self) -> list[Judgement]:
        """Return how the candidate compares with the current release, unless it is what is taken back."""
        if self._is_rollback:
            return []
        verdicts = compare_releases(self._context, self._answers, self._show)
        self._regression = [verdict.to_json() for verdict in verdicts]
        return verdicts

    def _shift(self, trial: HostGroup, heartbeat: Heartbeat) -> None:
        """Move the traffic: by judged steps for a canary that has something to be judged against, else at once.

        A rollback goes at once: its release has served before, and every step more would be served by the bad one.
        """
        rollout = self._context.settings.rollout
        if rollout.strategy == "canary" and self._previous and not self._is_rollback:
            canary = Canary(self._context, self._previous, heartbeat)
            for step in rollout.canary.steps:
                trial.call("shift", timeout_seconds=QUICK_SECONDS, release=self._release, weight=step)
                self._mark(f"{step} % on the candidate")
                for reason in canary.bake(step):
                    self._show(f"  {reason}")
                self._witness.require_good()
        trial.call("cutover", timeout_seconds=QUICK_SECONDS, release=self._release)
        self._mark("all traffic on the candidate")

    def _verify_public(self, heartbeat: Heartbeat, *, is_moved: bool) -> None:
        """Check the release through the public address of every host.

        Where the traffic `is_moved` by this run, the checks are not waited for once the release leaves its users
        waiting or nobody wants it any more.
        """
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="public")
        self._examining = pool.submit(examine_public, self._context, self._jobs)
        pool.shutdown(wait=False)
        if is_moved and self._previous:
            self._watch(self._examining, Counters(self._context, self._previous), heartbeat)
        self._judge(self._examining.result(), "the public address")
        self._mark("public address verified")

    def _watch(self, examining: Future[Examination], counters: Counters, heartbeat: Heartbeat) -> None:
        """Look at what waits for the release until it is examined; whether a host is silent is not judged here."""
        watched = Standstill(counters, thresholds_of(self._context.settings), counters.read())
        while wait([examining], timeout=standstill.LOOK_SECONDS).not_done:
            heartbeat.check()
            with contextlib.suppress(HostError):
                watched.look()

    def _put_under_load(self) -> None:
        """Put the release under the stack's load, where it has one, while it can still be reverted.

        One that is gone back to has stood it when it was released; somebody waits for the end of the update.
        """
        report = None if self._is_rollback else load_release(self._context, self._show)
        if report is not None:
            self._load = [report.to_json()]
            require_stood(report)
            self._mark("release stood its load")

    def _retire(self) -> list[str]:
        """Drain, park and prune; the release serves and is committed, so a failure here is a warning, not a revert."""
        settings = self._context.settings
        limit = self._longest_drain_seconds() + DRAIN_MARGIN_SECONDS
        warnings: list[str] = []

        def retire(client: HostctlClient) -> dict[str, Any]:
            lease = self._group.leases.get(client.host.name)
            drained = client.call("drain", timeout_seconds=limit, release=self._release, lease=lease)
            warnings.extend(
                f"{client.host.name}: {cut['sessions']} requests of {cut['service']} were cut at the drain limit"
                for cut in drained.get("cut", [])
            )
            client.call("park", timeout_seconds=limit, release=self._release, lease=lease)
            return prune_host(client, settings.rollout, lease, timeout_seconds=limit, show=self._show)

        _, errors = self._group.attempt(retire)
        warnings.extend(f"{name}: {error.what}; the host finishes this by itself" for name, error in errors.items())
        for warning in warnings:
            self._show(f"warning: {warning}")
        self._mark("previous release drained and parked")
        return warnings

    def _longest_drain_seconds(self) -> float:
        """Return the longest time that a service gets to finish, of this release or of those that it drains."""
        releases = {str(answer.get("previous") or "") for answer in self._answers.values()}
        told = [self._context.settings, *map(self._context.settings_of, releases)]
        return max(service.drain_timeout_seconds for settings in told for service in settings.services.values())

    def _revert(self, cause: ReleaseError) -> RolloutError:
        """Revert every host and return the error that fails the update."""
        way_back = Revert(self._context, committing=self._committing, handed_in=self._handed_in, show=self._show)
        error = way_back.run(cause)
        if self._examining is not None:
            # Checks that were not waited for remove what they made, now that they are answered.
            wait([self._examining], timeout=self._context.settings.checks.timeout_seconds + CLEANUP_SECONDS)
        return error

    def _judge(self, found: Examination, whom: str) -> None:
        """Keep the results; raise `CheckError` when one fails the release."""
        results = mark_known(found.results, self._context.before)
        self._checks += results
        self._jobs = found.jobs
        for result in results:
            if not result.passed and not result.fails_release:
                self._show(f"warning: {result}")
        judge(results, whom)

    def _mark(self, step: str) -> None:
        """Show a step with the time since the start and keep it."""
        self._timeline[step] = round(time.monotonic() - self._started, 2)
        self._show(f"{self._timeline[step]:7.2f} s  {step}")
