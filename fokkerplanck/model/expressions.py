"""Formulas written as text, read through a whitelisted syntax tree into SymPy.

The text is parsed by :mod:`ast` and rebuilt node by node; nothing is ever evaluated as Python.
"""

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

import sympy

MAX_LENGTH: Final = 20_000  #: characters of one expression
MAX_DEPTH: Final = 60  #: nesting levels of one expression
MAX_NODES: Final = 4_000  #: syntax nodes of one expression
MAX_EXPONENT: Final = 64  #: size of a constant exponent
MAX_INDEX: Final = 4_096  #: size of a subscript


class ExpressionError(ValueError):
    """An expression uses a name, a syntax or a size outside the whitelist."""


class sigmoid(sympy.Function):  # noqa: N801 - named as it is written
    """Logistic function ``1 / (1 + exp(-x))``."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative ``s (1 - s)``."""
        return self * (1 - self)


class softplus(sympy.Function):  # noqa: N801 - named as it is written
    """Smooth positive part ``log(1 + exp(x))``."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative, the logistic function."""
        return sigmoid(self.args[0])


class gaussian_cdf(sympy.Function):  # noqa: N801 - named as it is written
    """Standard normal distribution function."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the standard normal density."""
        return sympy.exp(-(self.args[0] ** 2) / 2) / sympy.sqrt(2 * sympy.pi)


class gelu(sympy.Function):  # noqa: N801 - named as it is written
    """Gaussian error linear unit ``x Φ(x)``, in its exact form."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative ``Φ(x) + x φ(x)``."""
        x = self.args[0]
        return gaussian_cdf(x) + x * gaussian_cdf(x).fdiff()


class step(sympy.Function):  # noqa: N801 - named as it is written
    """Derivative of :class:`relu`: one for positive arguments, zero otherwise."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return zero, the derivative almost everywhere."""
        return sympy.Integer(0)


class relu(sympy.Function):  # noqa: N801 - named as it is written
    """Positive part ``max(x, 0)``."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return the derivative almost everywhere."""
        return step(self.args[0])


FUNCTIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "tanh": sympy.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "gelu": gelu,
    "relu": relu,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "arctan": sympy.atan,
}
CONSTANTS: Final[dict[str, Any]] = {"pi": sympy.pi}
NON_SMOOTH: Final = (relu, step, sympy.Abs, sympy.sign)

_OPERATIONS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}


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
        raise ExpressionError(f"an expression must be text, got {text!r}")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression may have {MAX_LENGTH} characters, got {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        detail = getattr(error, "msg", None) or "too deeply nested or not text"
        raise ExpressionError(f"cannot read expression {_short(text)!r}: {detail}") from None
    reader = _Reader(text, tuple(names))
    return reader.read(tree, MAX_DEPTH)


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
                raise self.error(f"has the constant {node.value!r}; only real numbers are allowed")
            case ast.Constant(value=int() | float() as value):
                return self.checked(_number(value))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                value = self.read(operand, depth - 1)
                return -value if isinstance(sign, ast.USub) else value
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATIONS:
                return self.combine(
                    operator, self.read(left, depth - 1), self.read(right, depth - 1)
                )
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if (
                name in FUNCTIONS
            ):
                if not isinstance(argument, ast.Starred):
                    return self.checked(FUNCTIONS[name](self.read(argument, depth - 1)))
            case ast.Subscript(value=ast.Name(id=name)) if name in self.names:
                return component(name, self.index(node))
            case ast.Name(id=name) if name in CONSTANTS:
                return CONSTANTS[name]
        raise self.refusal(node)

    def combine(self, operator: ast.operator, a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
        """Return ``a operator b`` if its size is reasonable and its value real."""
        if isinstance(operator, ast.Pow) and b.is_number and abs(b) > MAX_EXPONENT:
            raise self.error(
                f"has the exponent {_short(str(b))}; at most {MAX_EXPONENT} is allowed"
            )
        return self.checked(_OPERATIONS[type(operator)](a, b))

    def checked(self, value: sympy.Expr) -> sympy.Expr:
        """Return ``value`` unless it is an absurd power or a number outside the reals."""
        exponents = [power.exp for power in value.atoms(sympy.Pow) if power.exp.is_number]
        if any(abs(exponent) > MAX_EXPONENT for exponent in exponents):
            raise self.error(f"has nested powers whose product exceeds {MAX_EXPONENT}")
        if value.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I):
            raise self.error("has a constant part that is not a finite real number")
        if value.is_Rational and max(value.p.bit_length(), value.q.bit_length()) > 1_000:
            raise self.error("has a number outside the double range")
        return value

    def index(self, node: ast.Subscript) -> int:
        """Return the constant subscript of ``node``."""
        match node.slice:
            case ast.Constant(value=int() as index) if not isinstance(index, bool):
                if index <= MAX_INDEX:
                    return index
        raise self.error(
            f"has the subscript {_short(ast.unparse(node))!r}; a subscript is a number 0, 1, 2, ..."
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
                return self.error(f"uses the name {name!r}, which is not allowed; {self.allowed}")
        source = _short(ast.unparse(node))
        return self.error(f"uses the syntax {source!r}, which is not allowed; {self.allowed}")

    @property
    def allowed(self) -> str:
        """What an expression may contain, in words."""
        vectors = " ".join(f"{name}[i]" for name in self.names)
        return f"allowed are numbers, + - * / **, {vectors} pi, {' '.join(FUNCTIONS)}"

    def error(self, problem: str) -> ExpressionError:
        """Return an error that shows the text and states the problem."""
        return ExpressionError(f"expression {_short(self.text)!r} {problem}")


def _number(value: float) -> sympy.Expr:
    """Return an exact integer or a double-precision number."""
    return sympy.Integer(value) if isinstance(value, int) else sympy.Float(value, precision=53)


def _short(text: str, limit: int = 60) -> str:
    """Return one line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
