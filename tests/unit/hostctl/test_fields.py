from __future__ import annotations

import pytest

from infra.hostctl.errors import HostctlError
from infra.hostctl.fields import Fields


def problems(fields: Fields) -> list[str]:
    """Return the problems that `done` raises."""
    with pytest.raises(HostctlError) as caught:
        fields.done()
    assert caught.value.code == "bad_request"
    found: list[str] = caught.value.details["problems"]
    return found


def test_every_problem_is_named_with_its_path() -> None:
    """One bad request tells all its problems at once, each with the path of the field."""
    fields = Fields({"a": {"b": [{"c": 1}, {"c": "x", "d": 2}]}, "n": 300})
    inner = fields.object("a")
    assert inner is not None
    for item in inner.objects("b"):
        item.text("c")
        item.close()
    fields.integer("n", least=0, most=100)
    fields.text("missing")
    assert problems(fields) == [
        "a.b[0].c: must be text (got a whole number)",
        "a.b[1].d: is not a known field",
        "n: must be 0..100 (got 300)",
        "missing: is required",
    ]


def test_a_text_that_does_not_match_is_not_quoted() -> None:
    """A value could be a secret, so a problem says what is wanted and not what came."""
    fields = Fields({"password": "s3cr3t\n"})
    fields.text("password", pattern="[a-z]+")
    assert "s3cr3t" not in str(problems(fields))


@pytest.mark.parametrize("value", [True, 1.5, "1", None, [1]])
def test_an_integer_is_a_whole_number_and_nothing_else(value: object) -> None:
    """Booleans, fractions and text are refused where a whole number is asked for."""
    fields = Fields({"n": value})
    fields.integer("n")
    assert len(problems(fields)) == 1


@pytest.mark.parametrize("value", [0, -1, 61, "5", False])
def test_a_number_is_above_its_bound(value: object) -> None:
    """A duration of nothing or less is refused."""
    fields = Fields({"seconds": value})
    fields.number("seconds", most=60)
    assert len(problems(fields)) == 1


def test_defaults_stand_for_absent_and_null_fields() -> None:
    """A field that is null counts as absent."""
    fields = Fields({"a": None})
    assert fields.text("a", "x") == "x"
    assert fields.integer("b", 3) == 3
    assert fields.number("c", 1.5) == 1.5
    assert fields.flag("d", default=True)
    assert fields.texts("e", optional=True) == ()
    assert fields.mapping("f", optional=True) == {}
    assert fields.object("g", optional=True) is None
    fields.done()


@pytest.mark.parametrize("value", [None, 3, "x", [1]])
def test_a_request_that_is_no_object_is_refused(value: object) -> None:
    """Only an object can be a request."""
    assert problems(Fields(value))[0].startswith("request: must be an object")
