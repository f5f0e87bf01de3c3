"""GitHub's expressions, as far as the workflows here use them; anything else is refused instead of guessed.

GitHub publishes its own evaluator for Node only (`@actions/expressions`), which no test here needs otherwise.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|(?P<sign>==|!=|&&|\|\||[!().,\[\]*]))"
)
EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
STATUS = re.compile(r"\b(always|success|failure|cancelled)\s*\(")
CONSTANTS = {"true": True, "false": False, "null": None}


class UnknownExpressionError(ValueError):
    """Something that this evaluator does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an expression may name."""

    contexts: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


def evaluate(text: str, scope: Scope) -> Any:
    """Return the value of the expression `text` (without the braces)."""
    parser = _Parser(_tokens(text), scope, text)
    value = parser.either()
    parser.end()
    return value


def interpolate(text: str, scope: Scope) -> str:
    """Return `text` with every `${{ … }}` in it as GitHub would write it."""
    return EMBEDDED.sub(lambda found: as_text(evaluate(found.group(1), scope)), text)


def condition(text: str | None, scope: Scope) -> bool:
    """Return whether an `if:` holds; without a function of its own on the status it asks for success too."""
    if text is None:
        return truthy(evaluate("success()", scope))
    whole = EMBEDDED.fullmatch(text.strip())
    inner = whole.group(1) if whole else text
    if EMBEDDED.search(inner):
        message = f"an expression beside text in `if: {text}` is always true"
        raise UnknownExpressionError(message)
    return truthy(evaluate(inner if STATUS.search(inner) else f"success() && ({inner})", scope))


def truthy(value: Any) -> bool:
    """Return whether GitHub takes a value for true."""
    return not (
        value is None or value is False or value == "" or (_is_number(value) and (value == 0 or math.isnan(value)))
    )


def as_text(value: Any) -> str:
    """Return a value inside a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    message = f"{type(value).__name__} inside a text"
    raise UnknownExpressionError(message)


def equal(left: Any, right: Any) -> bool:
    """Compare as GitHub does: text without case, different types as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if type(left) is type(right):
        return bool(left == right)
    one, other = _number(left), _number(right)
    return not math.isnan(one) and one == other


def contains(where: Any, what: Any) -> bool:
    """Return whether a list has an item, or a text a part."""
    if isinstance(where, list):
        return any(equal(item, what) for item in where)
    return as_text(what).casefold() in as_text(where).casefold()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:
    if value is None or value == "":
        return 0.0
    try:
        return float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        return math.nan


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if found is None:
            message = f"{text[at:]!r} in {text!r}"
            raise UnknownExpressionError(message)
        tokens.append((str(found.lastgroup), str(found.group(str(found.lastgroup)))))
        at = found.end()
    return tokens


class _Parser:
    """Evaluates while it reads; both sides of `&&` and `||` are read, as nothing here has an effect."""

    def __init__(self, tokens: list[tuple[str, str]], scope: Scope, text: str) -> None:
        self._tokens = tokens
        self._scope = scope
        self._text = text

    def either(self) -> Any:
        """Read `a || b`."""
        value = self._both()
        while self._take("||"):
            other = self._both()
            value = value if truthy(value) else other
        return value

    def end(self) -> None:
        """Refuse what is left over."""
        if self._tokens:
            self._refuse(self._tokens[0][1])

    def _both(self) -> Any:
        value = self._comparison()
        while self._take("&&"):
            other = self._comparison()
            value = other if truthy(value) else value
        return value

    def _comparison(self) -> Any:
        value = self._not()
        if self._take("=="):
            return equal(value, self._not())
        if self._take("!="):
            return not equal(value, self._not())
        return value

    def _not(self) -> Any:
        return not truthy(self._not()) if self._take("!") else self._reference()

    def _reference(self) -> Any:
        value, is_list = self._operand(), False
        while True:
            if self._take("."):
                if self._take("*"):
                    value, is_list = list(value.values()) if isinstance(value, dict) else list(value or ()), True
                    continue
                name = self._next("name")
                value = [_property(item, name) for item in value] if is_list else _property(value, name)
            else:
                return value

    def _operand(self) -> Any:
        if self._take("("):
            value = self.either()
            self._expect(")")
            return value
        if not self._tokens:
            self._refuse("its end")
        kind, token = self._tokens.pop(0)
        if kind == "text":
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return float(token)
        if kind != "name":
            self._refuse(token)
        return self._call(token) if self._take("(") else self._named(token)

    def _named(self, name: str) -> Any:
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name not in self._scope.contexts:
            self._refuse(f"context {name}")
        return self._scope.contexts[name]

    def _call(self, name: str) -> Any:
        arguments: list[Any] = []
        while not self._take(")"):
            arguments.append(self.either())
            if not self._take(","):
                self._expect(")")
                break
        function = {"contains": contains, **self._scope.functions}.get(name)
        if function is None:
            self._refuse(f"function {name}")
        return function(*arguments)

    def _take(self, sign: str) -> bool:
        if self._tokens and self._tokens[0] == ("sign", sign):
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            self._refuse(f"no {sign}")

    def _next(self, kind: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind:
            self._refuse("what follows a dot")
        return self._tokens.pop(0)[1]

    def _refuse(self, what: str) -> Any:
        message = f"{what} in {self._text!r}"
        raise UnknownExpressionError(message)


def _property(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None
