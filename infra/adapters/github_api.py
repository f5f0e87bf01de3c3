"""The part of GitHub's REST API that the pipeline uses; the token comes from the environment and is never shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from infra.errors import ToolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_URL = "https://api.github.com"
TIMEOUT_SECONDS = 20.0
PAGE_SIZE = 100
MOST_PAGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """One repository, through the API."""

    repository: str
    token: str = field(repr=False)
    url: str = DEFAULT_URL

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], repository: str | None = None) -> GitHub:
        """Return the repository of this CI run, or the one named; raise `UsageError` for what is not set."""
        name, token = repository or environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_TOKEN", "")
        if name.count("/") != 1 or not token:
            missing = "GITHUB_TOKEN" if not token else "GITHUB_REPOSITORY"
            raise UsageError(f"{missing} is not set", mend="a workflow passes it; by hand: export it, or name --repo")
        return cls(repository=name, token=token, url=environ.get("GITHUB_API_URL") or DEFAULT_URL)

    def comment(self, *, pull_request: int, marker: str, body: str) -> None:
        """Write a comment to a pull request, in place of the one with the same marker where there is one."""
        text = f"<!-- {marker} -->\n{body}"
        path = f"issues/{pull_request}/comments"
        earlier = next(
            (item for item in self.pages(path) if str(item.get("body", "")).startswith(text[: text.index("\n")])), None
        )
        if earlier is None:
            self._send("POST", path, {"body": text})
        else:
            self._send("PATCH", f"issues/comments/{int(earlier['id'])}", {"body": text})

    def approvers(self, run: str, environment: str) -> list[str]:
        """Return who approved a run's way into an Environment, in order, each once."""
        reviews = self.get(f"actions/runs/{run}/approvals") or []
        names = [
            str((review.get("user") or {}).get("login"))
            for review in reviews
            if review.get("state") == "approved"
            and environment in [item.get("name") for item in review.get("environments") or []]
        ]
        return list(dict.fromkeys(names))

    def get(self, path: str) -> Any:
        """Return what is at `path` of the repository, None when it is not there."""
        response = self._call("GET", path)
        return None if response.status_code == httpx.codes.NOT_FOUND else self._read(response)

    def pages(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a list that comes in pages."""
        items: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            found = self._read(self._call("GET", f"{path}?per_page={PAGE_SIZE}&page={page}"))
            items += found
            if len(found) < PAGE_SIZE:
                break
        return items

    def listed(self, path: str, key: str) -> list[dict[str, Any]]:
        """Return all items of a list that lies under `key` and comes in pages; none where nothing is at `path`.

        How many a page has at most differs from list to list, so the total is what ends it.
        """
        items: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            document = self.get(f"{path}?per_page={PAGE_SIZE}&page={page}") or {}
            found = document.get(key) or []
            items += found
            if not found or len(items) >= int(document.get("total_count") or 0):
                break
        return items

    def _send(self, method: str, path: str, document: Mapping[str, Any]) -> Any:
        return self._read(self._call(method, path, document))

    def _call(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        address = f"{self.url}/repos/{self.repository}/{path}"
        try:
            return httpx.request(method, address, headers=headers, json=document, timeout=TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            raise ToolError(f"GitHub did not answer: {type(error).__name__}", where=address) from None

    def _read(self, response: httpx.Response) -> Any:
        if response.is_success:
            return response.json()
        raise ToolError(
            f"GitHub refused {response.request.method} with status {response.status_code}",
            where=str(response.request.url),
            mend="does the token have the permission for this?",
        )
