from __future__ import annotations

from typing import Any

import pytest

from tests.support.workflow.expressions import Scope, UnknownExpressionError, condition, evaluate, interpolate

CONTEXTS: dict[str, Any] = {
    "inputs": {"image_tag": "", "environment": "production"},
    "needs": {"a": {"result": "success", "outputs": {"x": "1"}}, "b": {"result": "failure", "outputs": {}}},
    "github": {"event": {"pull_request": {"number": 12}}},
}


def scope(*, success: bool = True) -> Scope:
    """Return a scope in which all went well, or not."""
    functions = {"success": lambda: success, "failure": lambda: not success, "always": lambda: True}
    return Scope(contexts=CONTEXTS, functions=functions)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!inputs.image_tag", True),
        ("inputs.nothing == ''", True),
        ("inputs.environment || 'staging'", "production"),
        ("inputs.image_tag || needs.a.outputs.x", "1"),
        ("inputs.environment == 'Production'", True),
        ("needs.a.result == 'success' && needs.b.result != 'failure'", False),
        ("contains(needs.*.result, 'failure')", True),
        ("contains(needs.*.result, 'cancelled')", False),
        ("(inputs.image_tag || 'v1') == 'v1' && !contains('abc', 'd')", True),
        ("inputs.environment == 'production' && 'a' || 'b'", "a"),
        ("github.event.pull_request.number == '12'", True),
        ("'it''s'", "it's"),
        ("1 == true", True),
    ],
)
def test_values_are_githubs(text: str, value: object) -> None:
    """Comparison, choice and coercion follow GitHub's rules."""
    assert evaluate(text, scope()) == value


@pytest.mark.parametrize(
    "text", ["fromJSON('1')", "env.HOME", "a >", "inputs.a < 1", "toJSON(github)", "inputs[", "'open", ""]
)
def test_what_is_not_known_is_refused(text: str) -> None:
    """A function, context or sign that nobody uses here is an error, not a guess."""
    with pytest.raises(UnknownExpressionError):
        evaluate(text, scope())


def test_a_condition_asks_for_success_unless_it_says_otherwise() -> None:
    """Only a condition with a status function of its own holds after a failure."""
    assert condition(None, scope())
    assert not condition(None, scope(success=False))
    assert not condition("inputs.environment == 'production'", scope(success=False))
    assert condition("${{ failure() || inputs.image_tag != '' }}", scope(success=False))
    assert condition("${{ always() && contains(needs.*.result, 'failure') }}", scope(success=False))


def test_text_beside_an_expression_is_refused_as_a_condition() -> None:
    """GitHub takes such a condition for true whatever it says."""
    with pytest.raises(UnknownExpressionError, match="always true"):
        condition("x ${{ inputs.image_tag }}", scope())


def test_expressions_inside_text() -> None:
    """Numbers are whole, nothing is empty, booleans are words."""
    text = "n=${{ github.event.pull_request.number }} t=${{ inputs.none }} b=${{ !inputs.image_tag }}"
    assert interpolate(text, scope()) == "n=12 t= b=true"
