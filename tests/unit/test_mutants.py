"""What `make mutants` breaks, and that nothing is left out of it unseen."""

from __future__ import annotations

import pytest

from infra.checks.suite import CHECKS, SMOKE
from infra.paths import PROJECT_ROOT
from tests.mutants.operators import mutants_of
from tests.mutants.subjects import EQUIVALENT, SUBJECTS


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("x = a > 1", {"a <= 1", "True", "False"}, id="flipped, and decided either way"),
        pytest.param("x = a in b", {"a not in b", "True", "False"}, id="membership"),
        pytest.param("if a:\n    b()", {"not a"}, id="turned round"),
        pytest.param("x = [a for a in b if c(a)]", {"not c(a)"}, id="a filter turned round"),
        pytest.param("x = a and b", {"a or b", "a", "b"}, id="weakened"),
        pytest.param("f(passed=False)", {"True"}, id="a verdict of its own"),
        pytest.param("came = a if b else c", set(), id="wording"),
        pytest.param("assert a == 1", set(), id="an assertion"),
        pytest.param("@dataclass(frozen=True)\nclass A:\n    pass", set(), id="a declaration"),
    ],
)
def test_what_is_broken(source: str, expected: set[str]) -> None:
    """Whatever may decide a verdict is broken in every way, and nothing else is."""
    assert {mutant.after for mutant in mutants_of("a.py", source)} == expected


def test_a_mutant_differs_in_one_place() -> None:
    """The rest of the module stays what it is."""
    (flipped, *_) = mutants_of("a.py", "x = a > 1\ny = a > 1")
    assert (flipped.line, flipped.text) == (1, "x = a <= 1\ny = a > 1")


def test_every_check_is_broken() -> None:
    """The module of each check of the suite and of the smoke test is among those that are broken."""
    modules = {check.__module__.replace(".", "/") + ".py" for check in (*CHECKS.values(), *SMOKE.values())}
    assert modules <= set(SUBJECTS)


def test_what_is_left_out_is_there() -> None:
    """An expression that is not broken, since nobody could notice, is still in its module."""
    for place in EQUIVALENT:
        module, _, expression = place.partition(": ")
        source = (PROJECT_ROOT / module).read_text(encoding="utf-8")
        assert expression in {mutant.before for mutant in mutants_of(module, source)}, place


@pytest.mark.parametrize("module", SUBJECTS)
def test_the_tests_that_must_notice_exist(module: str) -> None:
    """Each module and each of its tests is a file."""
    for path in (module, *SUBJECTS[module]):
        assert (PROJECT_ROOT / path).is_file(), path
