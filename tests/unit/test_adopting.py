from __future__ import annotations

import re

import pytest
import yaml

from infra.domain.notices.notice import EVENTS
from infra.paths import PROJECT_ROOT
from infra.settings import load_stack_file
from infra.settings.notifications import Notifications
from infra.settings.secrets import IMAGE_KEY_PASSWORD, required_names

PAGE = (PROJECT_ROOT / "docs" / "adopting.md").read_text(encoding="utf-8")
NOTIFICATIONS = (PROJECT_ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")
WORKFLOWS = sorted((PROJECT_ROOT / ".github").glob("workflows/*.yml"))
PREFIX = re.compile(r"^(STAGING|PRODUCTION)_")
needs_workflows = pytest.mark.skipif(not WORKFLOWS, reason="this checkout has no workflows")


def rows(heading: str) -> dict[str, list[str]]:
    """Return the table below a heading: first cell to the others."""
    section = PAGE.split(f"# {heading}\n")[1].split("\n# ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")
    ]
    return {row[0].strip("`"): row[1:] for row in cells[2:]}


def general(name: str) -> str:
    """Return a name as the table has it."""
    return PREFIX.sub("<STACK>_", name)


@pytest.mark.parametrize("stack", ["staging", "production"])
def test_every_secret_of_a_stack_is_explained(stack: str) -> None:
    """The table has each name that the program asks for, shared ones without the prefix, each with a reason."""
    settings = load_stack_file(stack, PROJECT_ROOT)
    shared = settings.secrets.shared
    wanted = {name if name in shared else f"<STACK>_{name}" for name in (*required_names(settings), IMAGE_KEY_PASSWORD)}
    table = rows("Every secret and why")
    assert sorted(wanted - set(table)) == []
    assert [name for name, cells in table.items() if not all(cells)] == []


@needs_workflows
def test_every_secret_of_the_workflows_is_explained() -> None:
    """What a workflow hands to a job is in the table, and the table has no name that nothing asks for."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    used = {general(name) for name in re.findall(r"secrets\.([A-Z][A-Z0-9_]*)", text)}
    table = set(rows("Every secret and why"))
    assert sorted(used - table) == []
    env_names = {general(name) for name in re.findall(r"^\s+([A-Z][A-Z0-9_]*):", text, re.MULTILINE)}
    optional = {f"<STACK>_{IMAGE_KEY_PASSWORD}", "the names in `notifications"}
    assert sorted(table - used - env_names - optional) == []


@needs_workflows
def test_every_permission_of_the_workflows_is_explained() -> None:
    """The table has exactly the permissions that jobs are given."""
    given = {
        f"{scope}: {level}"
        for path in WORKFLOWS
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        for scope, level in (job.get("permissions") or {}).items()
    }
    assert given == set(rows("Every permission and why"))


def test_each_step_is_verified_by_a_command() -> None:
    """The numbered steps follow each other, and each has a command to type."""
    guide = PAGE.split("\n# From the old pipeline")[0]
    steps = re.split(r"^## (?=\d+\. )", guide, flags=re.MULTILINE)[1:]
    assert [int(step.split(".")[0]) for step in steps] == list(range(1, len(steps) + 1))
    assert [step.splitlines()[0] for step in steps if "```sh" not in step and "--check`" not in step] == []


def test_every_event_is_in_the_docs() -> None:
    """The page on notifications has a row for each event."""
    assert [event for event in EVENTS if f"| `{event}` |" not in NOTIFICATIONS] == []


def test_the_example_of_the_docs_validates() -> None:
    """The section shown is one that a stack file may have."""
    (block,) = re.findall(r"```yaml\n(.*?)```", NOTIFICATIONS, re.DOTALL)
    section = Notifications.model_validate(yaml.safe_load(block)["acp:notifications"])
    assert {channel.kind for channel in section.channels} == {"slack", "teams", "pagerduty", "webhook", "email"}
