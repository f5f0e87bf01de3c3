"""How an update tells of itself: notices are put into the outbox beside the work, and never stand in its way."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from infra.adapters.background import find_engine
from infra.adapters.ci import ci_run_id
from infra.components.dynamic import show
from infra.errors import ReleaseError, RolloutError
from infra.notify.announce import put_notice, start_sender
from infra.notify.channels import wanting
from infra.notify.outbox import Outbox, lock_name
from infra.rollout.context import who
from infra.settings.load import settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.domain.notices.notice import Event
    from infra.settings.model import Settings


def announce_start(props: Mapping[str, Any]) -> None:
    """Say that a release begins, and start the sender that stays until the update has ended."""
    with _in_passing():
        settings = settings_of(props)
        if not any(wanting(settings, event, os.environ) for event in ("started", "failed", "reverted")):
            return
        put_notice(
            settings, "started", props["run_id"], os.environ,
            release=props["release"], commit=props.get("commit", ""), who=who(),
        )  # fmt: skip
        update = find_engine()
        start_sender(
            settings.stack,
            *("--engine", str(update.pid), "--since", repr(update.create_time())),
            *("--run", props["run_id"], "--release", props["release"], "--commit", props.get("commit", "")),
        )


def announce_success(props: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    """Say that the release is committed and serves."""
    with _in_passing():
        settings = settings_of(props)
        event: Event = "rolled-back" if settings.rollback_to else "succeeded"
        _tell(settings, event, props, replaced=report.get("previous") or "", lost_requests=lost_requests(report))


@contextlib.contextmanager
def failure_announced(props: Mapping[str, Any]) -> Iterator[None]:
    """Say why the work in this context failed; the error goes on."""
    try:
        yield
    except ReleaseError as error:
        with _in_passing():
            settings = settings_of(props)
            event: Event = "reverted" if isinstance(error, RolloutError) and error.restored else "failed"
            reason = error.reason if isinstance(error, RolloutError) and error.reason else error.what
            replaced = error.restored if isinstance(error, RolloutError) else ""
            _tell(settings, event, props, replaced=replaced, reason=reason)
        raise


def lost_requests(report: Mapping[str, Any]) -> int | None:
    """Return how many requests were lost while the release took over, None where nobody counted."""
    certificate = report.get("certificate")
    lost = certificate.get("failed") if isinstance(certificate, dict) else None
    return int(lost) if isinstance(lost, int | float) else None


def _tell(settings: Settings, event: Event, props: Mapping[str, Any], **facts: Any) -> None:
    """Put the notice into the outbox and see to it that somebody sends it."""
    update = find_engine()
    run_id = props.get("run_id") or ci_run_id(os.environ) or f"{update.create_time():.0f}-{update.pid}"
    put = put_notice(
        settings,
        event,
        run_id,
        os.environ,
        release=props.get("release", ""),
        commit=props.get("commit", ""),
        who=who(),
        duration_seconds=time.time() - update.create_time(),
        **facts,
    )
    if put and not Outbox.of(settings.stack).is_locked(lock_name(run_id)):
        start_sender(settings.stack)


@contextlib.contextmanager
def _in_passing() -> Iterator[None]:
    """Turn every failure of telling into a warning: a release is never lost for a message."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the release goes on
        # Only its kind: the text of an unexpected error may quote a secret.
        show(f"warning: the notice of this step was not made ({type(error).__name__})")
