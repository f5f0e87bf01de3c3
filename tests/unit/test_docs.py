from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest

from infra.cli.main import main
from infra.errors import ReleaseError
from infra.paths import PROJECT_ROOT
from infra.settings.load import one_update_overrides
from infra.settings.model import SECRET_NAMES
from tests.support.commands import subcommands

if TYPE_CHECKING:
    from pathlib import Path

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def commands(program: str) -> list[tuple[str, list[str]]]:
    """Return every call of `program` in the pages' shell blocks, with its page."""
    found: list[tuple[str, list[str]]] = []
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                while words and "=" in words[0]:
                    words = words[1:]
                if words and words[0] == program:
                    found.append((page.name, words[1:]))
    return found


@pytest.mark.parametrize(("page", "words"), commands("acp-release"), ids=lambda value: " ".join(value).strip("[]"))
def test_every_operator_command_in_the_docs_exists(page: str, words: list[str]) -> None:
    """Each `acp-release …` line parses: the command is there, and so is every option."""
    command: click.Command = main
    while isinstance(command, click.Group):
        known = subcommands(command)
        assert words[0] in known, f"{page}: there is no command {words[0]}"
        command, words = known[words[0]], words[1:]
    command.make_context(str(command.name), list(words))


def test_every_operator_command_is_in_the_docs() -> None:
    """No command of `acp-release` is left out of the pages."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in subcommands(main) if f"acp-release {name}" not in text] == []


@pytest.mark.parametrize(("page", "words"), commands("make"), ids=lambda value: " ".join(value).strip("[]"))
def test_every_make_target_in_the_docs_exists(page: str, words: list[str]) -> None:
    """Each `make …` line names targets of the Makefile."""
    targets = re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert [word for word in words if "=" not in word and word not in targets] == [], page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links to files of the repository name files that are there."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_exit_code_is_in_the_docs() -> None:
    """README lists each code with which a command can end."""
    (line,) = re.findall(r"Exit codes of `acp-release`: (.*?)\n\n", README + "\n\n", re.DOTALL)
    listed = {int(code) for code in re.findall(r"\b\d+\b", line)}

    def codes(kind: type[ReleaseError]) -> set[int]:
        return {kind.exit_code}.union(*(codes(below) for below in kind.__subclasses__()))

    wanted = {code for code in codes(ReleaseError) if code != ReleaseError.exit_code}
    assert wanted <= listed
    assert listed <= wanted | {0}


@pytest.mark.parametrize("name", [*SECRET_NAMES, "REGISTRY_PASSWORD"])
@pytest.mark.parametrize("prefix", ["STAGING_", "PRODUCTION_"])
def test_every_secret_is_in_the_docs(prefix: str, name: str) -> None:
    """README names each variable that must be exported."""
    assert f"`{prefix}{name}`" in README


def test_every_override_in_the_docs_works() -> None:
    """The variables that bend one update are ones that the program reads, and all are explained."""
    named = set(re.findall(r"^(ACP_[A-Z_]+)=\S+ pulumi up", README, re.MULTILINE))
    assert named
    assert set(one_update_overrides(dict.fromkeys(named, "x"))) == {
        f"acp:{name.removeprefix('ACP_').lower()}" for name in named
    }


def test_settings_named_in_the_docs_exist() -> None:
    """A key in backticks that looks like a setting of a section is in the key reference."""
    reference = (PROJECT_ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^\| `([a-z_]+)\.", reference, re.MULTILINE))
    named = {
        key
        for page in PAGES
        for key in re.findall(r"`((?:acp:)?[a-z_]+(?:\.[a-z_]+)+)`", page.read_text(encoding="utf-8"))
        if key.removeprefix("acp:").split(".")[0] in sections
    }
    assert [key for key in named if f"| `{key.removeprefix('acp:')}` |" not in reference] == []
