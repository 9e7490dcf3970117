"""All that can be made wrong in a module by one small cut.

Each mutant is one change of the module's syntax tree: a comparison turned round, a part of a
condition left out, a guard that never or always holds, a statement that is gone, a number that is
off by one. A mutant is named by the function that it is in and by what is changed there, so that
the name stays when other lines move.
"""

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.Mult: ast.Add,
}
_NO_RULES = {"annotation", "returns", "decorator_list"}
_LONGEST = 70

Cut = Callable[[ast.AST], None]
"""Makes the change in the node of a copied tree that stands where this one does."""


class Mutant(NamedTuple):
    """One change."""

    name: str
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a module."""
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    nodes = list(ast.walk(tree))
    places = _places(tree)
    for position, node in enumerate(nodes):
        for what, cut in _cuts(node) if node in places else ():
            name = f"{places[node]}: {_shown(node)} -> {what}"
            seen[name] += 1
            if seen[name] > 1:
                name = f"{name} ({seen[name]})"
            changed = copy.deepcopy(tree)
            cut(_nth(changed, position))
            yield Mutant(name, ast.fix_missing_locations(changed))


def _nth(tree: ast.Module, position: int) -> ast.AST:
    return next(node for number, node in enumerate(ast.walk(tree)) if number == position)


def _places(tree: ast.Module) -> dict[ast.AST, str]:
    """The function or class that each node is in.

    Types, decorators and defaults are in none: they are facts, and not rules.
    """
    found: dict[ast.AST, str] = {}

    def visit(node: ast.AST, place: str) -> None:
        found[node] = place
        inner = place
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inner = f"{place}.{node.name}" if place != "module" else node.name
        if isinstance(node, ast.AnnAssign | ast.arguments):
            return
        fields = (part for name, part in ast.iter_fields(node) if name not in _NO_RULES)
        for part in fields:
            for child in part if isinstance(part, list) else [part]:
                if isinstance(child, ast.AST):
                    visit(child, inner)

    visit(tree, "module")
    return found


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _cuts(node: ast.AST) -> Iterator[tuple[str, Cut]]:
    for kinds, cuts in _BY_KIND:
        if isinstance(node, kinds):
            yield from cuts(node)


def _parts(node: ast.AST) -> Iterator[tuple[str, Cut]]:
    if isinstance(node, ast.BoolOp):
        for number, value in enumerate(node.values):
            nothing = ast.Constant(isinstance(node.op, ast.And))
            yield (
                f"without {_shown(value)}",
                lambda n, i=number, c=nothing: n.values.__setitem__(i, c),  # type: ignore[misc]
            )
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "without not", _become(lambda n: n.operand)
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        other = _OPERATORS[type(node.op)]
        yield other.__name__, lambda n: setattr(n, "op", other())


def _guards(node: ast.AST) -> Iterator[tuple[str, Cut]]:
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        for value in (True, False):
            yield f"if {value}", lambda n, v=value: setattr(n, "test", ast.Constant(v))  # type: ignore[misc]
    elif isinstance(node, ast.comprehension):
        for number, test in enumerate(node.ifs):
            yield f"without if {_shown(test)}", lambda n, i=number: n.ifs.pop(i)  # type: ignore[misc]


def _compared(node: ast.Compare) -> Iterator[tuple[str, Cut]]:
    for number, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            yield (
                other.__name__,
                lambda n, i=number, o=other: n.ops.__setitem__(i, o()),  # type: ignore[misc]
            )


def _constants(node: ast.Constant) -> Iterator[tuple[str, Cut]]:
    value = node.value
    if isinstance(value, bool):
        yield str(not value), lambda n: setattr(n, "value", not value)
    elif isinstance(value, int | float):
        more = value + 1 if isinstance(value, int) else value * 2 or 1.0
        yield str(more), lambda n: setattr(n, "value", more)


def _without_statements(node: ast.AST) -> Iterator[tuple[str, Cut]]:
    for field in ("body", "orelse"):
        for number, statement in enumerate(getattr(node, field, ())):
            is_docstring = isinstance(statement, ast.Expr) and isinstance(
                statement.value, ast.Constant
            )
            kinds = (ast.Expr, ast.AugAssign, ast.Delete, ast.Continue, ast.Break)
            is_field = isinstance(statement, ast.Assign) and not isinstance(
                statement.targets[0], ast.Name
            )
            if (isinstance(statement, kinds) and not is_docstring) or is_field:
                yield (
                    f"without {_shown(statement)}",
                    lambda n, f=field, i=number: getattr(n, f).__setitem__(i, ast.Pass()),  # type: ignore[misc]
                )


def _become(part: Callable[[ast.AST], ast.AST]) -> Cut:
    """The node becomes one of its parts: as `not not x`, for the tree's sake."""

    def cut(node: ast.AST) -> None:
        assert isinstance(node, ast.UnaryOp)
        node.operand = ast.UnaryOp(ast.Not(), part(node))  # type: ignore[arg-type]

    return cut


_BY_KIND: tuple[
    tuple[tuple[type[ast.AST], ...], Callable[[Any], Iterator[tuple[str, Cut]]]], ...
] = (
    ((ast.Compare,), _compared),
    ((ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.AugAssign), _parts),
    ((ast.If, ast.IfExp, ast.While, ast.comprehension), _guards),
    ((ast.Constant,), _constants),
    ((ast.FunctionDef, ast.If, ast.For, ast.With, ast.ExceptHandler), _without_statements),
)
