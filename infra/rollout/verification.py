"""What the driver and the preflight ask, of whom and when, and how a bad answer ends the update."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.checks.blame import RELEASE, REPLICA, at_fault
from infra.checks.early import hand_in_jobs, take_back_jobs
from infra.checks.occasion import AFTER_REVERT, BEFORE, CANDIDATE, PUBLIC, RETURNING
from infra.checks.subject import candidate_subject, public_subject, replicas_of
from infra.checks.suite import examine
from infra.errors import CheckError, HostError, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from infra.checks.result import CheckResult
    from infra.checks.subject import Subject
    from infra.checks.suite import Examination
    from infra.rollout.context import RolloutContext

CHECKED_BEFORE = "mend the dependency first; to release a fix for it, set `acp:checks` `healthy_before: false`"


def examine_before(context: RolloutContext, serving: Mapping[str, Mapping[str, Any]]) -> list[CheckResult]:
    """Return what the running release, whichever it is, answers before this one begins, asked as itself wants it.

    `serving` has each host's status. Hosts that serve different releases are asked by the settings of today.
    """
    subject = _public(context, release_of(serving))
    services = {row["name"] for status in serving.values() for row in status["services"]}
    targets = [target for target in subject.targets if target.service_name in services]
    return list(examine(replace(subject, targets=targets), BEFORE).results)


def faults_to_excuse(context: RolloutContext, results: Sequence[CheckResult]) -> list[str]:
    """Return what the new release is not blamed for, since it was down before.

    When a release is taken back, that is its dependencies only: a service of it that fails is no excuse for the same
    service of the release that returns.
    """
    names = at_fault(results)
    if not context.settings.rollback_to:
        return names
    own = {RELEASE, *context.settings.services}
    return [name for name in names if name.partition(REPLICA)[0] not in own]


def refuse_unhealthy(results: Sequence[CheckResult]) -> None:
    """Raise `CheckError` when the running release has a failure already: a new release would only be blamed for it."""
    failed = [result for result in results if result.fails_release]
    if failed:
        raise CheckError(
            f"the running release is not healthy before this one begins{_faults(failed)}; nothing was changed\n"
            + _lines(failed, "  "),
            mend=CHECKED_BEFORE,
        )


def examine_candidate(
    context: RolloutContext,
    verify: Mapping[str, Mapping[str, int]],
    *,
    is_returning: bool = False,
    handed_in: Mapping[str, str] | None = None,
    on_quiet: Callable[[Sequence[CheckResult]], None] = lambda _: None,
) -> Examination:
    """Return what each candidate answers alone, through SSH, before it gets any traffic; `on_quiet`: see `examine`."""
    with _candidates(context, verify, handed_in) as subject:
        return examine(subject, RETURNING if is_returning else CANDIDATE, on_quiet=on_quiet)


def hand_in_early(context: RolloutContext, verify: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Give the agents of each candidate the smoke test's job and return it by host; what goes wrong decides nothing."""
    try:
        with _candidates(context, verify) as subject:
            return hand_in_jobs(subject)
    except (ReleaseError, OSError):
        return {}


def take_back(context: RolloutContext, jobs: Mapping[str, str], serving: str) -> list[CheckResult]:
    """Remove jobs of a candidate that is gone through `serving`, which serves again; return what stays behind."""
    return take_back_jobs(_public(context, serving), jobs)


def _candidates(
    context: RolloutContext, verify: Mapping[str, Mapping[str, int]], handed_in: Mapping[str, str] | None = None
) -> AbstractContextManager[Subject]:
    hosts = [client for client in context.group.clients if client.host.name in verify]
    return candidate_subject(
        context.settings,
        hosts,
        spec=context.spec,
        secrets=context.secrets.values,
        verify=verify,
        handed_in=handed_in,
    )


def examine_public(context: RolloutContext, jobs: Mapping[str, str]) -> Examination:
    """Return what the public address of every host answers; `jobs` are those that the candidate's agents answered."""
    subject = public_subject(
        context.settings,
        context.group.clients,
        release=context.release,
        secrets=context.secrets.values,
        replicas=replicas_of(context.spec),
        jobs=jobs,
    )
    return examine(subject, PUBLIC)


def failures_after_revert(context: RolloutContext, release: str) -> list[CheckResult]:
    """Return what fails at the public addresses of the context's hosts with the release that serves there again."""
    subject = _public(context, release, release=release)
    hosts = {client.host.name for client in context.group.clients}
    targets = [target for target in subject.targets if target.host in hosts]
    return [result for result in examine(replace(subject, targets=targets), AFTER_REVERT).results if not result.passed]


def release_of(answers: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the release that all hosts say they serve (`serving`), empty where they differ or serve none."""
    found = {str(answer.get("serving") or "") for answer in answers.values()}
    return found.pop() if len(found) == 1 else ""


def _public(context: RolloutContext, serving: str, *, release: str | None = None) -> Subject:
    """Return what the public gets, asked by the settings of `serving`; with `release` that alone may answer."""
    settings, hosts = context.settings_of(serving), context.group.clients
    return public_subject(settings, hosts, release=release, secrets=context.secrets.values)


def judge(results: Sequence[CheckResult], whom: str) -> None:
    """Raise `CheckError` with what is at fault when a release must not go on, also when nothing was asked."""
    if not results:
        raise HostError(f"there was nothing to check of {whom}")
    failed = [result for result in results if result.fails_release]
    if failed:
        raise CheckError(
            f"{len(failed)} of {len(results)} checks of {whom} failed{_faults(failed)}\n" + _lines(failed, "    ")
        )


def mark_known(results: Sequence[CheckResult], before: Sequence[str]) -> list[CheckResult]:
    """Return the results with a mark on each failure of something that was down before the release began."""
    known = set(before)
    return [
        replace(result, failed_before=not result.passed and bool(known & {*result.dependencies, *result.follows_from}))
        for result in results
    ]


def _faults(failed: Sequence[CheckResult]) -> str:
    names = at_fault(failed)
    return f"; at fault: {', '.join(names)}" if names else ""


def _lines(failed: Sequence[CheckResult], indent: str) -> str:
    """Return the failures line by line, what is at fault first."""
    ordered = sorted(failed, key=lambda result: bool(result.follows_from))
    return "\n".join(f"{indent}{result}" for result in ordered)
