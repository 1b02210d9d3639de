import math

import numpy as np
import pytest
import sympy

from fokkerplanck.model.evaluation import evaluate
from fokkerplanck.model.expressions import ExpressionError, component, is_smooth, parse

THETA = [component("theta", i) for i in range(3)]
X = [component("x", i) for i in range(2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("theta[0]*tanh(theta[1]*x[0])", THETA[0] * sympy.tanh(THETA[1] * X[0])),
        ("-x[1]**2 + 3/4", -(X[1] ** 2) + sympy.Rational(3, 4)),
        ("+sqrt(1 + x[0]**2) - pi", sympy.sqrt(1 + X[0] ** 2) - sympy.pi),
        (" exp(log(x[0])) ", X[0]),
        ("0.1*arctan(x[0])", sympy.Float(0.1, precision=53) * sympy.atan(X[0])),
    ],
)
def test_reads_formulas(text: str, expected: sympy.Expr) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("foo(x[0])", "'foo'"),
        ("y", "'y'"),
        ("y[0]", "'y'"),
        ("__import__('os').system('true')", "system"),
        ("x[0].real", "x[0].real"),
        ("(lambda: 1)()", "lambda"),
        ("[x[0] for i in x]", "for i in x"),
        ("x[0] if x[1] else 1", "if"),
        ("x[0] > 1", ">"),
        ("x[0] // 2", "//"),
        ("~1", "~1"),
        ("f'{x}'", "f'{x}'"),
        ("True", "True"),
        ("1j", "1j"),
        ("'text'", "text"),
        ("x", "without subscript"),
        ("tanh", "must call tanh"),
        ("tanh()", "must call tanh"),
        ("tanh(x[0], x[1])", "must call tanh"),
        ("tanh(*x)", "must call tanh"),
        ("tanh(a=x[0])", "must call tanh"),
        ("x[-1]", "subscript"),
        ("x[1.5]", "subscript"),
        ("x[True]", "subscript"),
        ("x[0:1]", "subscript"),
        ("x[x[0]]", "subscript"),
        ("x[99999]", "subscript"),
        ("x[0] +", "cannot read"),
        ("", "cannot read"),
        ("x[0]; x[1]", "cannot read"),
        ("\0", "cannot read"),
        ("x[0]\n+ 1 = 2", "cannot read"),
    ],
)
def test_refuses_what_is_not_listed_in_one_line(text: str, named: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    message = str(caught.value)
    assert named in message
    assert "\n" not in message


def test_says_what_is_allowed() -> None:
    with pytest.raises(ExpressionError, match=r"allowed are .*theta\[i\] x\[i\] pi, tanh sigmoid"):
        parse("sinh(x[0])")


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "2**65",
        "((2**64)**64)**64",
        "(((x[0]**16)**16)**16)**16",
        "1" * 400,
        "(" * 100 + "x[0]" + ")" * 100 + "*1" * 100,
        "-" * 100 + "x[0]",
        "+".join(["x[0]"] * 5000),
        "x[0]+" * 9000 + "1",
    ],
)
def test_refuses_absurd_sizes(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize("text", ["1/0", "log(0)", "sqrt(-1)", "log(-1)", "0/0", "1e999", "0**-1"])
def test_refuses_constants_outside_the_reals(text: str) -> None:
    with pytest.raises(ExpressionError, match="not a finite real number"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+".join(f"x[0]**{k}" for k in range(1, 62)), sum(X[0] ** k for k in range(1, 62))),
        ("x[0] - 1 - x[1] + 3", X[0] - X[1] + 2),
        ("x[0]**sqrt(4)", X[0] ** 2),
        ("relu(-1) + x[0]", X[0]),
        ("2**(1/2)*x[0]", sympy.Float(2**0.5, precision=53) * X[0]),
    ],
)
def test_sums_are_not_nested_and_constants_are_numbers(text: str, expected: sympy.Expr) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["x[0]**softplus(2)", "sigmoid(-800)*x[0]", "gelu(2) + x[0]"])
def test_constants_of_all_functions_are_those_of_numpy(text: str) -> None:
    twin = parse(text.replace("2)", "x[1])").replace("-800)", "x[1])"))
    values = {X[0]: 1.5, X[1]: -800.0 if "800" in text else 2.0}
    assert evaluate(parse(text), values) == pytest.approx(float(evaluate(twin, values)), abs=1e-300)


@pytest.mark.parametrize(
    "text",
    [
        "2**exp(exp(exp(exp(exp(3)))))",
        "exp(1000)",
        "(10**60*x[0])**64",
        "x[0]/(pi - pi)",
        "9" * 5000,
    ],
)
def test_refuses_constants_beyond_doubles_before_they_are_computed(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"finite real number|double range|digits"):
        parse(text)


@pytest.mark.parametrize("text", ["1(2)", "'\\d'", "1if 2 else 3", "x[0] is 1"])
def test_python_does_not_warn_of_formulas(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_refuses_what_is_no_text() -> None:
    with pytest.raises(ExpressionError, match="must be text, got 3"):
        parse(3)  # type: ignore[arg-type]


def test_other_names_can_be_allowed() -> None:
    assert parse("theta[0]**2", names=("theta",)) == THETA[0] ** 2
    with pytest.raises(ExpressionError, match="'x'"):
        parse("x[0]", names=("theta",))


@pytest.mark.parametrize(
    ("text", "smooth"),
    [("relu(x[0])", False), ("sqrt(x[0]**2)", False), ("gelu(x[0])", True), ("x[0]**3", True)],
)
def test_knows_kinks(text: str, smooth: bool) -> None:
    assert is_smooth([parse(text)]) is smooth


@pytest.mark.parametrize(
    "name",
    ["tanh", "sigmoid", "softplus", "gelu", "relu", "sin", "cos", "exp", "log", "sqrt", "arctan"],
)
def test_derivatives_match_difference_quotients(name: str) -> None:
    expression = parse(f"{name}(x[0])")
    at, h = np.array([0.3, 1.7]), 1e-5
    quotient = (evaluate(expression, {X[0]: at + h}) - evaluate(expression, {X[0]: at - h})) / (
        2 * h
    )
    np.testing.assert_allclose(evaluate(expression.diff(X[0]), {X[0]: at}), quotient, rtol=1e-8)


def test_evaluates_known_values() -> None:
    values = {X[0]: np.array([1.0, -2.0])}
    np.testing.assert_allclose(
        evaluate(parse("sigmoid(x[0]) + softplus(x[0]) + gelu(x[0])"), values),
        [
            1 / (1 + math.exp(-t)) + math.log1p(math.exp(t)) + t * math.erfc(-t / 2**0.5) / 2
            for t in (1.0, -2.0)
        ],
        rtol=1e-14,
    )
    np.testing.assert_allclose(
        evaluate(parse("x[0]**3 - x[0]**(1/2)**2"), {X[0]: 4.0}), 62.0 - 4**0.25 + 2.0
    )
