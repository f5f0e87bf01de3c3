"""Version and release id that answer, against what was deployed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from infra.checks.blame import RELEASE
from infra.checks.health import RELEASE_HEADER
from infra.domain.naming import tag_of

if TYPE_CHECKING:
    from infra.checks.ask import Answer
    from infra.checks.inquiry import Inquiry
    from infra.checks.result import CheckResult
    from infra.checks.target import Target

PATH = "/version"
APP_VERSION = (
    "does the app tell the version it was released as? `@VERSION@` in the compose file gives it that; "
    "for an app with a version of its own say `suite.version.compare_version: false` in `acp:checks`"
)


async def check_version(inquiry: Inquiry) -> list[CheckResult]:
    """Compare the release header, and what `/version` and `/health` tell, with the release that must be there."""
    return list(await asyncio.gather(*(_one(inquiry, target) for target in inquiry.subject.targets)))


async def _one(inquiry: Inquiry, target: Target) -> CheckResult:
    answer, health = await asyncio.gather(inquiry.ask(target, "GET", PATH), inquiry.health(target))
    nobody = answer if answer.status is None else health
    if nobody.status is None:
        return nobody.judged("version", target.name, passed=False, blames=(target.service_name,))
    answers, release = (answer, health), inquiry.subject.release
    others = differences(answers, release, compares_version=False)
    compares_version = inquiry.settings.checks.suite.version.compare_version
    problems = differences(answers, release, compares_version=compares_version)
    serves = f"`acp-release status --stack {inquiry.settings.stack}`: which release does the host serve?"
    told = answer.headers.get(RELEASE_HEADER.lower())
    return answer.judged(
        "version",
        target.name,
        passed=not problems,
        came="; ".join(problems) or f"release {told}",
        blames=(RELEASE,),
        look_at=serves if others else APP_VERSION,
    )


def differences(answers: tuple[Answer, ...], release: str | None, *, compares_version: bool) -> list[str]:
    """Return in words where answers tell another release or version than `release`; without one they must agree."""
    headers = [answer.headers.get(RELEASE_HEADER.lower()) for answer in answers]
    wanted = release or headers[0]
    found = [f"answered by release {told}, not {wanted}" for told in headers if told is None or told != wanted]
    told_releases = [answer.value("release") for answer in answers if answer.is_success]
    found += [f"the app says release {told}, not {wanted}" for told in told_releases if told and told != wanted]
    if compares_version and wanted:
        found += _version_differences(answers, wanted.rpartition("-")[0])
    return list(dict.fromkeys(found))


def _version_differences(answers: tuple[Answer, ...], wanted: str) -> list[str]:
    """Return where the app tells another version; one that tells none has not been verified."""
    told = [str(v) for answer in answers if answer.is_success and (v := answer.value("version")) is not None]
    if not told:
        return [f"the app tells no version on {PATH} or its health"]
    return [f"the app says version {version}, not {wanted}" for version in told if not _is_tag_of(version, wanted)]


def _is_tag_of(version: str, tag: str) -> bool:
    """Return whether a release of `version` has this tag; one `v` before either counts for nothing."""
    bare = version.removeprefix("v")
    return tag in {tag_of(bare), tag_of(f"v{bare}")}
