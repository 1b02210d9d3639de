"""Formulas written as text, read through a whitelisted syntax tree into SymPy.

The text is parsed by :mod:`ast` and rebuilt node by node; nothing is ever evaluated as Python.
"""

import ast
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import sympy

from fokkerplanck.model.constants import OPERATORS, double, exact, in_range
from fokkerplanck.model.functions import DOUBLES, FUNCTIONS, NON_SMOOTH
from fokkerplanck.runtime.wording import one_line, quoted

MAX_LENGTH: Final = 20_000  #: characters of one expression
MAX_DEPTH: Final = 60  #: nesting levels of one expression
MAX_NODES: Final = 4_000  #: syntax nodes of one expression
MAX_EXPONENT: Final = 64  #: size of a constant exponent
MAX_INDEX: Final = 4_096  #: size of a subscript


class ExpressionError(ValueError):
    """An expression uses a name, a syntax or a size outside the whitelist."""


CONSTANTS: Final[dict[str, Any]] = {"pi": sympy.pi}

#: Factors of a product that are looked at while it grows; a sum has its number first.
_FACTORS: Final = 2 * MAX_DEPTH

_NOT_FINITE: Final = "has a constant part that is not a finite real number"


def component(name: str, index: int) -> sympy.Symbol:
    """Return the real symbol that stands for ``name[index]``."""
    return sympy.Symbol(f"{name}_{index}", real=True)


def indices(expressions: Sequence[sympy.Expr], name: str) -> set[int]:
    """Return all subscripts of ``name`` that appear in ``expressions``."""
    symbols = {str(symbol) for expression in expressions for symbol in expression.free_symbols}
    stems = (symbol.rpartition("_") for symbol in symbols)
    return {int(index) for stem, _, index in stems if stem == name}


def is_smooth(expressions: Sequence[sympy.Expr]) -> bool:
    """Tell whether no expression has a kink such as that of ``relu``."""
    return not any(expression.has(*NON_SMOOTH) for expression in expressions)


def parse(text: str, names: Sequence[str] = ("theta", "x")) -> sympy.Expr:
    """Read one formula.

    Args:
        text: The formula, in Python's notation for arithmetic.
        names: Vectors whose components ``name[0]``, ``name[1]``, ... may appear.

    Returns:
        The expression, with the symbols of :func:`component`.

    Raises:
        ExpressionError: The text is not a formula of the whitelist.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"an expression must be text, got {quoted(text)}")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression may have {MAX_LENGTH} characters, got {len(text)}")
    try:
        with warnings.catch_warnings():
            # Python warns of what looks like a slip in a program
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        detail = getattr(error, "msg", None) or "too deeply nested or not text"
        raise ExpressionError(
            f"cannot read expression {quoted(text)}: {one_line(detail)[:100]}"
        ) from None
    reader = _Reader(text, tuple(names))
    try:
        return reader.whole(reader.read(tree, MAX_DEPTH))
    except RecursionError:
        raise reader.error("is too deeply nested") from None


class _Reader:
    """Walks one syntax tree; every node type that is not named here is refused."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.text = text
        self.names = names
        self.remaining = MAX_NODES

    def read(self, node: ast.expr, depth: int) -> sympy.Expr:
        """Return the expression of ``node``, which may nest ``depth`` levels further."""
        self.remaining -= 1
        if depth < 0 or self.remaining < 0:
            raise self.error(
                f"is too large ({MAX_DEPTH} nested levels and {MAX_NODES} operations are allowed)"
            )
        match node:
            case ast.Constant(value=bool() | complex() | str() | bytes() | None):
                raise self.error(
                    f"has the constant {quoted(node.value)}; only real numbers are allowed"
                )
            case ast.Constant(value=int() | float() as value):
                return self.constant(float, value)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                value = self.read(operand, depth - 1)
                return -value if isinstance(sign, ast.USub) else value
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self.total(node, depth - 1)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
                return self.combine(
                    operator, self.read(left, depth - 1), self.read(right, depth - 1)
                )
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if (
                name in FUNCTIONS
            ):
                if not isinstance(argument, ast.Starred):
                    return self.call(name, self.read(argument, depth - 1))
            case ast.Subscript(value=ast.Name(id=name)) if name in self.names:
                return component(name, self.index(node))
            case ast.Name(id=name) if name in CONSTANTS:
                return CONSTANTS[name]
        raise self.refusal(node)

    def total(self, node: ast.expr, depth: int) -> sympy.Expr:
        """Return a sum; its terms stand side by side, however many they are."""
        constant: sympy.Expr | None = None
        terms = []
        for sign, term in _terms(node):
            self.remaining -= 1
            value = self.read(term, depth)
            value = value if isinstance(sign, ast.Add) else -value
            if not value.is_number:
                terms.append(value)
            else:
                constant = value if constant is None else self.combine(ast.Add(), constant, value)
        return self.checked(sympy.Add(*terms, *([] if constant is None else [constant])))

    def combine(self, operator: ast.operator, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
        """Return ``a operator b`` if its size is reasonable and its value real."""
        if isinstance(operator, ast.Pow) and b.is_number and abs(double(b)) > MAX_EXPONENT:
            raise self.error(
                f"has the exponent {quoted(double(b))}; at most {MAX_EXPONENT} is allowed"
            )
        operation = OPERATORS[type(operator)]
        if a.is_number and b.is_number:
            return self.constant(operation, a, b)
        if isinstance(operator, ast.Div) and b.is_zero:
            raise self.error(_NOT_FINITE)
        return self.checked(operation(a, b))

    def call(self, name: str, argument: sympy.Expr) -> sympy.Expr:
        """Return the value of a function."""
        if argument.is_number:
            return self.constant(DOUBLES[name], argument)
        return self.checked(FUNCTIONS[name](argument))

    def constant(self, operation: Callable[..., Any], *operands: Any) -> sympy.Expr:
        """Return a number, exact where that is small, after a look at its size in doubles.

        SymPy would compute all digits of what has too many for any memory.
        """
        try:
            value = operation(*map(double, operands))
            if not math.isfinite(value):
                raise ValueError("no finite number")
        except (ArithmeticError, ValueError, TypeError):
            raise self.error(_NOT_FINITE) from None
        return exact(value, operation, *operands)

    def checked(self, value: sympy.Expr) -> sympy.Expr:
        """Return ``value`` unless it is an absurd power, or holds a number out of range."""
        for part in (value, *value.args[:_FACTORS]):
            if part.is_Pow and part.exp.is_number and abs(double(part.exp)) > MAX_EXPONENT:
                raise self.error(f"has nested powers whose product exceeds {MAX_EXPONENT}")
            if part.is_Number and not in_range(part):
                raise self.error("has a number outside the double range")
        return value

    def whole(self, value: sympy.Expr) -> sympy.Expr:
        """Return the value of the text unless a part of it is out of range or not real."""
        if value.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I):
            raise self.error(_NOT_FINITE)
        for part in sympy.preorder_traversal(value):
            self.checked(part)
        return value

    def index(self, node: ast.Subscript) -> int:
        """Return the constant subscript of ``node``."""
        match node.slice:
            case ast.Constant(value=int() as index) if not isinstance(index, bool):
                if index <= MAX_INDEX:
                    return index
        raise self.error(
            f"has the subscript {quoted(ast.unparse(node))}; a subscript is a number 0, 1, 2, ..."
        )

    def refusal(self, node: ast.expr) -> ExpressionError:
        """Return the error for a name or syntax outside the whitelist."""
        match node:
            case ast.Name(id=name) if name in self.names:
                return self.error(f"uses {name!r} without subscript; write {name}[0]")
            case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
                return self.error(f"must call {name} with one argument")
            case (
                ast.Name(id=name)
                | ast.Call(func=ast.Name(id=name))
                | ast.Subscript(value=ast.Name(id=name))
            ):
                return self.error(
                    f"uses the name {quoted(name)}, which is not allowed; {self.allowed}"
                )
        source = quoted(ast.unparse(node))
        return self.error(f"uses the syntax {source}, which is not allowed; {self.allowed}")

    @property
    def allowed(self) -> str:
        """What an expression may contain, in words."""
        vectors = " ".join(f"{name}[i]" for name in self.names)
        return f"allowed are numbers, + - * / **, {vectors} pi, {' '.join(FUNCTIONS)}"

    def error(self, problem: str) -> ExpressionError:
        """Return an error that shows the text and states the problem."""
        return ExpressionError(f"expression {quoted(self.text.strip())} {problem}")


def _terms(node: ast.expr) -> Iterator[tuple[ast.operator, ast.expr]]:
    """Yield the terms of a sum with their signs, from right to left; sums lean to the left."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield node.op, node.right
        node = node.left
    yield ast.Add(), node
