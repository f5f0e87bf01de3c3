"""The way back: every host reverted, what serves then asked, and the evidence in the error that fails the update."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.errors import RolloutError
from infra.rollout.preflight import give_back
from infra.rollout.standstill import UnansweredError
from infra.rollout.verification import failures_after_revert, release_of, take_back

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from infra.checks.result import CheckResult
    from infra.errors import ReleaseError
    from infra.rollout.context import RolloutContext

REVERT_SECONDS = 900.0


class Revert:
    """The revert of one rollout."""

    def __init__(
        self,
        context: RolloutContext,
        *,
        committing: Collection[str],
        handed_in: Mapping[str, str],
        show: Callable[[str], None],
    ) -> None:
        """Prepare; `committing` are hosts that this run has told to commit, `handed_in` the jobs to take back."""
        self._context = context
        self._group = context.group
        self._release = context.release
        self._committing = committing
        self._handed_in = handed_in
        self._show = show

    @property
    def _is_recorded(self) -> bool:
        return self._context.recorded == self._release

    def run(self, cause: ReleaseError) -> RolloutError:
        """Revert every host and return the error that fails the update, with the evidence."""
        self._show(f"reverting: {cause.what}")
        reason = cause.what.splitlines()[0][:200]
        results, errors = self._group.attempt(
            lambda client: self._group.ask(
                client,
                "revert",
                timeout_seconds=REVERT_SECONDS,
                release=self._release,
                reason=reason,
                trial_only=self._served_before(client.host.name),
                hanging=cause.services if isinstance(cause, UnansweredError) else (),
            )
        )
        missed = "was not verified again" if self._is_recorded else "was not made"
        lines = [f"the release {self._release} {missed}", f"  reason: {cause.what}"]
        lines += [_reverted_line(name, result) for name, result in results.items()]
        missing = [f"{name}: {error.what}; {self._outlook(name)}" for name, error in errors.items()]
        lines += [f"  {line}" for line in missing]
        serving = release_of(results)
        failed = self._failures_of(results, serving) if serving else []
        if serving:
            lines += [f"  {result}" for result in failed] or [f"  {serving} answers on {self._where(results)}"]
        faults = [f"after the revert: {result}" for result in failed if result.fails_release]
        if self._handed_in:
            lines += [f"  {result}" for result in take_back(self._context, self._handed_in, serving)]
        # What is held on a host that did not answer runs out by itself.
        give_back(self._context, {name: self._group.leases[name] for name in results if name in self._group.leases})
        is_restored = not (errors or faults) and (self._is_recorded or serving != self._release)
        first, *rest = cause.what.splitlines() or [""]
        return RolloutError(
            "\n".join(lines),
            where=cause.where,
            mend=cause.mend or "mend the release, then run again",
            # A notice has the first lines only: what the revert left broken comes before the cause's evidence.
            reason="\n".join([first, *missing, *faults, *rest]),
            restored=serving if is_restored else "",
        )

    def _served_before(self, host: str) -> bool:
        """Return whether `host` may have served this very release before, so that only a trial is taken back.

        The record has it then, and this run has not come to its commit there: what serves stays.
        """
        return self._is_recorded and host not in self._committing

    def _outlook(self, host: str) -> str:
        """Return what becomes of a host that the revert did not reach."""
        if host in self._committing:
            stack = self._context.settings.stack
            return f"it may have committed: `acp-release status --stack {stack}` says so; then run the same again"
        return "it reverts by itself at its deadline"

    def _failures_of(self, hosts: Collection[str], release: str) -> list[CheckResult]:
        """Return what fails with `release`, the one before, that serves the public of these hosts again."""
        return failures_after_revert(replace(self._context, group=self._group.only(hosts)), release)

    def _where(self, hosts: Collection[str]) -> str:
        """Return these hosts in words."""
        return "every public address" if len(hosts) == len(self._group.clients) else ", ".join(hosts)


def _reverted_line(name: str, result: Mapping[str, Any]) -> str:
    """Return what became of one host, and what it saw of the candidate itself."""
    trouble = result.get("trouble")
    how = f"reverted in {result.get('restore_seconds', 0):.2f} s" if result.get("reverted") else "untouched"
    if trouble and not result.get("reverted"):
        how = "had reverted by itself"
    serving = result.get("serving") or "nothing (there was no release before)"
    return f"  {name}: {how}, serving {serving}" + (f"; {trouble}" if trouble else "")
