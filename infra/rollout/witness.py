"""What watches a whole rollout from beside it: the certificate's probe, the containers' resources, and the report."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from infra.domain.certificate import moment
from infra.errors import CheckError, RolloutError
from infra.reports.store import write_report
from infra.rollout.certification import Certification, loss_lines
from infra.rollout.document import base_document, redacted
from infra.rollout.resource_watch import ResourceWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from infra.errors import ReleaseError
    from infra.rollout.context import RolloutContext


class Witness:
    """Watches from `begin` to the end of its context, judges what it saw before the commit, and reports in the end."""

    def __init__(self, context: RolloutContext, show: Callable[[str], None]) -> None:
        """Prepare; nothing is watched before the context opens."""
        self._context = context
        self._show = show
        self._certification = Certification(context=context)
        self._resources = ResourceWatch(context.group, context.settings.resources)
        self._document = base_document(context)
        self._stack = ExitStack()
        self._seen: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        """Answer for whatever runs from here on to end."""
        self._stack.callback(self._certification.abandon)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing running."""
        self._stack.close()

    def begin(self) -> None:
        """Begin to watch."""
        self._certification.ensure()
        self._stack.enter_context(self._resources)

    def served_before(self, hosts: Iterable[str]) -> None:
        """Take note on which hosts the release has served before this run."""
        self._resources.forgive(hosts)

    def require_good(self) -> None:
        """Raise `CheckError` when a request was lost (where the stack forbids it) or a limit is broken."""
        self._certification.require_lossless()
        self._resources.require_within_limits(self._context.release)

    def seen(self) -> dict[str, Any]:
        """End the watch and return `certificate` and `resources` of the rollout."""
        if self._seen is None:
            resources = self._resources.summary(self._context.release)
            self._seen = {"certificate": self._certification.end(), "resources": resources}
        return self._seen

    def released(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Return the whole report of a committed release; raise `CheckError` when its drain lost requests."""
        whole = {**report, **self.seen()}
        loss = self._late_loss()
        self._write(whole, "lossy" if loss else "released", loss)
        if loss:
            stack, release = self._context.settings.stack, self._context.release
            raise CheckError(
                loss,
                mend=f"`acp-release report {release} --stack {stack}` shows which; the same command again records"
                " the release",
            )
        return whole

    def failed(self, report: Mapping[str, Any], error: ReleaseError) -> None:
        """Write the report of a release that was not made."""
        restored = error.restored if isinstance(error, RolloutError) else ""
        self._write({**report, **self.seen(), "restored": restored}, "reverted", error.what)

    def _late_loss(self) -> str:
        """Return in words what was lost in the drain, empty when nothing was or the stack allows it."""
        certificate = (self._seen or {}).get("certificate")
        if not self._context.settings.certificate.fail_on_loss:
            return ""
        serving = f"{self._context.release} is committed and serves, but"
        if certificate is None:
            return f"{serving} nobody can say whether its change-over lost a request: the probe left no result"
        if certificate["silent_routes"]:
            return f"{serving} no answer came on {', '.join(certificate['silent_routes'])}"
        if not certificate["failed"]:
            return ""
        return (
            f"{serving} {certificate['failed']} of {certificate['sent']} requests of the certificate's probe were"
            f" lost\n{loss_lines(certificate['losses'])}"
        )

    def _write(self, report: Mapping[str, Any], outcome: str, reason: str) -> None:
        """Write the page; one that cannot be written is no reason to fail a release."""
        secrets = self._context.secrets.values.values()
        document = {
            **self._document,
            **report,
            "outcome": outcome,
            "reason": reason,
            "ended_at": moment(time.time()),
        }
        try:
            page = write_report(redacted(document, secrets))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a page, the release is as good or bad as it is
            self._show(f"warning: the report could not be written: {error}")
        else:
            self._show(f"report: {page}")
