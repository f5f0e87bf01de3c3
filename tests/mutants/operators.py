"""What is broken in a check: its comparisons flipped or decided beforehand, its conditions turned round or weakened.

The mutants are made with the standard library's `ast`: the tools that make them have no wheels of all they need, or
cannot be told to break only this.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FLIPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
WORDS = frozenset({"came", "look_at", "word"})
"""What a verdict is told in; a mutant of its wording is no other verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one thing broken: which line (from 1), the expression as it was and as it is, the whole text."""

    module: str
    line: int
    before: str
    after: str
    text: str

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.module}:{self.line}: {self.before}  →  {self.after}"


def mutants_of(module: str, source: str) -> list[Mutant]:
    """Return every mutant of a module, in the order of its lines."""
    tree = ast.parse(source)
    found = []
    for index, node in enumerate(_judging(tree)):
        for replacement in _replacements(node):
            broken = _Replacing(index, replacement).applied(tree)
            found.append(
                Mutant(
                    module=module,
                    line=node.lineno,
                    before=ast.unparse(node),
                    after=ast.unparse(replacement),
                    text=ast.unparse(broken),
                )
            )
    return sorted(found, key=lambda mutant: mutant.line)


def _judging(node: ast.AST) -> Iterator[ast.expr]:
    """Yield, outer ones first, the expressions that may decide something."""
    for child in ast.iter_child_nodes(node):
        if _decides_nothing(child):
            continue
        if (
            isinstance(child, ast.Compare)
            or (isinstance(child, ast.BoolOp) and not _is_default(child))
            or _is_flag(child)
            or _is_condition(child, node)
        ):
            yield child
        yield from _judging(child)


def _decides_nothing(node: ast.AST) -> bool:
    """Whether a part of a module is left alone: annotations, imports for type checkers, assertions, and wording."""
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.arguments():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Call(func=ast.Name(id="dataclass")):
            return True
        case ast.keyword(arg=name) if name in WORDS:
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AugAssign(target=ast.Name(id=name)) if name in WORDS:
            return True
    return False


def _is_default(node: ast.BoolOp) -> bool:
    """Whether it only says what stands for something that is empty: text, a mapping, a name."""
    return (
        isinstance(node.op, ast.Or)
        and isinstance(node.values[-1], ast.Constant | ast.JoinedStr | ast.Dict | ast.Tuple | ast.Attribute)
        and not any(isinstance(value, ast.Compare) for value in node.values)
    )


def _is_flag(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _is_condition(node: ast.AST, parent: ast.AST) -> bool:
    """Whether a node is what an `if`, a `while`, a conditional expression or a filter asks."""
    if isinstance(parent, ast.If | ast.While | ast.IfExp):
        return node is parent.test
    return isinstance(parent, ast.comprehension) and node in parent.ifs


def _replacements(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what is put in the place of an expression."""
    match node:
        case ast.Compare(ops=operators):
            for place, operator in enumerate(operators):
                flipped = copy.deepcopy(node)
                flipped.ops[place] = FLIPS[type(operator)]()
                yield flipped
            # A threshold that is not there any more.
            yield ast.Constant(value=True)
            yield ast.Constant(value=False)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(op=ast.Or() if isinstance(operator, ast.And) else ast.And(), values=values)
            for place, value in enumerate(values):
                if not isinstance(value, ast.Compare):
                    rest = [*values[:place], *values[place + 1 :]]
                    yield rest[0] if len(rest) == 1 else ast.BoolOp(op=operator, values=rest)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(value=not value)
        case _:
            yield ast.UnaryOp(op=ast.Not(), operand=node)


class _Replacing:
    """Puts an expression in the place of one of those that `_judging` yields."""

    def __init__(self, index: int, replacement: ast.expr) -> None:
        self._index = index
        self._replacement = replacement

    def applied(self, tree: ast.Module) -> ast.Module:
        """Return a copy of the tree with the replacement in it."""
        made = copy.deepcopy(tree)
        target = next(node for index, node in enumerate(_judging(made)) if index == self._index)
        for parent in ast.walk(made):
            for name, value in ast.iter_fields(parent):
                if value is target:
                    setattr(parent, name, self._replacement)
                elif isinstance(value, list) and any(item is target for item in value):
                    setattr(parent, name, [self._replacement if item is target else item for item in value])
        return made
