"""Results as JUnit XML, which every CI system shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from junitparser import Failure, JUnitXml, TestCase, TestSuite

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from infra.checks.result import CheckResult


def write_junit(path: Path, name: str, results: Sequence[CheckResult]) -> None:
    """Write one suite with a case for each result; a warning passes and says so in its output."""
    suite = TestSuite(name)  # type: ignore[no-untyped-call]
    suite.add_testcases([_case(result) for result in results])
    document = JUnitXml()  # type: ignore[no-untyped-call]
    document.add_testsuite(suite)
    path.parent.mkdir(parents=True, exist_ok=True)
    document.write(str(path), pretty=True)


def _case(result: CheckResult) -> TestCase:
    case = TestCase(name=f"{result.check} of {result.target}", classname=result.check, time=round(result.seconds, 3))
    if result.fails_release:
        failure = Failure(message=f"{', '.join(result.dependencies)}: {result.came}", type_=result.check)
        failure.text = str(result)
        case.result = [failure]
    elif not result.passed:
        case.system_out = str(result)
    return case
