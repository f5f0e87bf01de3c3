"""A notice as GitHub's Environments page has it: a deployment and its statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.notices.text import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.domain.notices.notice import Event, Notice

DESCRIPTION_LIMIT = 140
STATES: Mapping[Event, str] = {
    "waiting": "queued",
    "started": "in_progress",
    "succeeded": "success",
    "rolled-back": "success",
    "failed": "failure",
    "reverted": "failure",
}
"""The state of a deployment after an event; `drift` is no deployment."""
FINAL = frozenset({"success", "failure", "error", "inactive"})
TASK = "deploy"


def deployment(notice: Notice, environment: str) -> dict[str, Any]:
    """Return the body that creates a deployment; the payload is what a later run finds it by."""
    return {
        "ref": notice.commit,
        "task": TASK,
        "auto_merge": False,
        # The release was built and judged by then: no status of the commit must hold its record up.
        "required_contexts": [],
        "environment": environment,
        "description": cut(notice.title, DESCRIPTION_LIMIT),
        "transient_environment": False,
        "production_environment": environment == "production",
        "payload": {"run_id": notice.run_id, "release": notice.release},
    }


def status(notice: Notice, environment: str, environment_url: str, log_url: str) -> dict[str, Any]:
    """Return the body that sets a deployment's status."""
    text = notice.reason or notice.title
    return {
        "state": STATES[notice.event],
        "environment": environment,
        "description": cut(text, DESCRIPTION_LIMIT),
        **({"environment_url": environment_url} if environment_url else {}),
        **({"log_url": log_url} if log_url else {}),
        # GitHub would do so for environments other than production only; the caller does it for all.
        "auto_inactive": False,
    }


def inactive(environment: str) -> dict[str, Any]:
    """Return the body that says of a deployment that another one took its place."""
    return {
        "state": "inactive",
        "environment": environment,
        "description": "another release serves",
        "auto_inactive": False,
    }
