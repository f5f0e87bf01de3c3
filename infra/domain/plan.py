"""A plan: all that an approval is about, in one canonical form, so that two plans can be compared word by word."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from infra.domain.markdown import fenced

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one update would do: from which commit, with which digests, on top of which history, by which steps.

    `commit` is the project's, empty where git knows none. `source` says what was asked for (`image_tag` or
    `rollback_to`, nothing for a build), `built_from` by image the state of the sources of a build; `head` is the end of
    the stack's history: the release recorded and the last update. `changes` are words, `steps` the engine's operations.
    """

    stack: str
    commit: str
    source: Mapping[str, str]
    built_from: Mapping[str, str]
    release: str
    images: Mapping[str, str]
    head: Mapping[str, str]
    changes: tuple[str, ...]
    steps: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as its file has it."""
        return {"format": FORMAT, **asdict(self), "changes": list(self.changes), "steps": list(self.steps)}

    @property
    def text(self) -> str:
        """Return the canonical text: the same plan is always the same text."""
        return json.dumps(self.to_json(), indent=2, sort_keys=True) + "\n"

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the canonical text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def differences(approved: Plan, now: Plan) -> list[str]:
    """Return in words what is otherwise now than it was approved, each named; none when the plan still holds."""
    found = [
        f"the {what}: approved {before or 'none'}, now {after or 'none'}"
        for what, before, after in (
            ("stack", approved.stack, now.stack),
            ("commit", approved.commit, now.commit),
            ("release", approved.release, now.release),
        )
        if before != after
    ]
    found += _of_mapping("the request", approved.source, now.source)
    found += _of_mapping("the sources of", approved.built_from, now.built_from)
    found += _of_mapping("the digest of", approved.images, now.images)
    found += _of_mapping("the stack's history", approved.head, now.head)
    before, after = (list(plan.changes) + list(plan.steps) for plan in (approved, now))
    lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    return found + [f"the preview: {line[0]} {line[1:]}" for line in lines if not line.startswith("@@")]


def _of_mapping(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return [
        f"{what} {name}: approved {before.get(name, 'none')}, now {after.get(name, 'none')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def to_markdown(plan: Plan) -> str:
    """Return the plan for a comment or a job's summary."""
    words = "\n".join(plan.changes) or "no change"
    images = "\n".join(f"{name} {pinned}" for name, pinned in sorted(plan.images.items())) or "built by the update"
    steps = "\n".join(plan.steps) or "none"
    commit = f"from commit `{plan.commit[:12]}`" if plan.commit else "from no commit (git knows none here)"
    facts = (
        f"Release `{plan.release or 'known after the build'}` {commit}, "
        f"on top of `{plan.head.get('release') or 'nothing'}`. Plan `{plan.hash[:12]}`."
    )
    return "\n\n".join(
        [
            f"### Preview of `{plan.stack}`",
            facts,
            "What changes, in words (secrets by name only):",
            fenced(words),
            "Images:",
            fenced(images),
            f"<details><summary>{len(plan.steps)} resources change</summary>\n",
            fenced(steps),
            "</details>",
        ]
    )
