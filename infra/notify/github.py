"""GitHub deployments: found or made by the run they belong to, so that any runner can go on with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.domain.notices.deployment import FINAL, STATES, TASK, deployment, inactive, status
from infra.domain.notices.notice import OUTCOMES
from infra.domain.run_ids import are_same_run
from infra.notify.delivery import DelayedError, RefusedError, checked_address, exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from infra.domain.notices.notice import Notice

VARIABLES = ("GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL")
API_VERSION = "2022-11-28"
LOOKED_AT = 30
"""How many of an environment's newest deployments are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository's deployments, as the API has them."""

    client: httpx.Client
    address: str
    token: str
    redacted: Callable[[str], str]

    @classmethod
    def of(cls, client: httpx.Client, environ: Mapping[str, str], redacted: Callable[[str], str]) -> Repository:
        """Return the repository that the CI run is of; raise `DelayedError` where its variables are not set."""
        missing = [name for name in VARIABLES if not environ.get(name)]
        if missing:
            raise DelayedError(f"{', '.join(missing)} not set here")
        token, repository, api = (environ[name] for name in VARIABLES)
        address = f"{checked_address(api, 'GITHUB_API_URL').rstrip('/')}/repos/{repository}/deployments"
        return cls(client=client, address=address, token=token, redacted=redacted)

    def tell(self, notice: Notice, environment: str, environment_url: str, log_url: str) -> None:
        """Bring the deployment of the notice's run to the state after its event; again it changes nothing."""
        state = STATES[notice.event]
        listed = self._deployments(environment)
        found = self._find(listed, notice, state)
        if found is None and notice.event in OUTCOMES and not notice.release:
            # A workflow's job failed before or after a release: what was deployed, and how that ended, stays true.
            return
        if found is None:
            if not notice.commit:
                raise RefusedError("the commit of the release is not known, and GitHub needs one")
            found = int(self._ask("POST", "", json=deployment(notice, environment))["id"])
        if self._state(found) != state:
            self._ask("POST", f"/{found}/statuses", json=status(notice, environment, environment_url, log_url))
        if state == "success":
            for other in listed:
                if int(other["id"]) != found and self._state(int(other["id"])) == "success":
                    self._ask("POST", f"/{other['id']}/statuses", json=inactive(environment))

    def _find(self, listed: list[dict[str, Any]], notice: Notice, state: str) -> int | None:
        """Return the newest deployment of the run and release.

        One that has ended is not begun again, and not ended again by who does not know its release.
        """
        for known in listed:
            payload = _payload(known)
            is_same = payload.get("release") in {"", notice.release} or not notice.release
            if are_same_run(str(payload.get("run_id") or ""), notice.run_id) and is_same:
                identity = int(known["id"])
                may_end_again = state in FINAL and bool(notice.release)
                return identity if may_end_again or self._state(identity) not in FINAL else None
        return None

    def _deployments(self, environment: str) -> list[dict[str, Any]]:
        """Return the newest deployments of an environment, the newest first."""
        found = self._ask("GET", "", params={"environment": environment, "task": TASK, "per_page": str(LOOKED_AT)})
        return [item for item in found if isinstance(item, dict) and isinstance(item.get("id"), int)]

    def _state(self, identity: int) -> str:
        """Return the newest status of a deployment, empty when it has none."""
        found = self._ask("GET", f"/{identity}/statuses", params={"per_page": "1"})
        return str(found[0].get("state", "")) if found and isinstance(found[0], dict) else ""

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": API_VERSION,
        }
        answer = exchange(self.client, method, self.address + path, redacted=self.redacted, headers=headers, **body)
        try:
            return answer.json()
        except ValueError:
            raise DelayedError("GitHub's answer is not JSON") from None


def _payload(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deployment's payload; GitHub gives it back as the object or the text it was given."""
    payload = known.get("payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            return {}
    return payload if isinstance(payload, dict) else {}
