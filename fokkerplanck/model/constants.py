"""Numbers in formulas: their size in doubles, and exact values where these are small."""

import ast
import operator
from collections.abc import Callable
from typing import Any, Final

import sympy

#: Bits of numerator and denominator up to which rational numbers stay exact.
_EXACT_BITS: Final = 128

#: Numbers up to this size are exact integers in double arithmetic.
_WHOLE: Final = 2.0**53

#: Powers of ten in base 2 that a double holds, with some room.
_LARGEST_BITS: Final = 1000

OPERATORS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def double(number: Any) -> float:
    """Return a number as a double.

    Raises:
        OverflowError: It leaves the double range.
    """
    return float(number)


def exact(value: float, operation: Callable[..., Any], *operands: Any) -> sympy.Expr:
    """Return the value of an operation: a small rational number, or else a double.

    Args:
        value: What double arithmetic has found, which bounds the size.
        operation: A value of `OPERATORS`, or any function of one number.
        operands: Python numbers or expressions without symbols.
    """
    if operation is float and isinstance(operands[0], int) and abs(value) < _WHOLE:
        return sympy.Integer(operands[0])
    if operation in OPERATORS.values() and all(_is_short(number) for number in operands):
        result = operation(*operands)
        if result.is_Rational and _bits(result) <= _EXACT_BITS:
            return result
    if operation is not float and value.is_integer() and abs(value) < _WHOLE:
        return sympy.Integer(int(value))
    return sympy.Float(value, precision=53)


def in_range(number: sympy.Expr) -> bool:
    """Whether a number is finite as a double."""
    if number.is_Rational:
        return bool(number.p.bit_length() - number.q.bit_length() <= _LARGEST_BITS)
    return bool(number.is_Float and abs(number) < 2.0**_LARGEST_BITS)


def _is_short(number: Any) -> bool:
    return bool(number.is_Rational and _bits(number) <= _EXACT_BITS)


def _bits(number: sympy.Expr) -> int:
    return max(int(number.p).bit_length(), int(number.q).bit_length())
