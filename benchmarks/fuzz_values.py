"""Values and formulas that are nearly right, and how TOML writes them."""

import datetime
import json
import string
from typing import Any, Final

from hypothesis import strategies as st

from fokkerplanck.model.functions import FUNCTIONS

Strategy = st.SearchStrategy

#: Numbers at which something changes, and some that no problem has.
NUMBERS: Final = st.one_of(
    st.sampled_from(
        [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3, 4, 16, 17, 1e-4, 1e-6, 1e-9, 1e-12, 1e-300, 5e-324, 1e3]
    ),
    st.sampled_from([1e6, 1e9, 1e12, 1e300, 1.7e308, 0, 1, 2, -1, 8, 10**9, 2**31, 2**63, 2**64]),
    st.sampled_from([10**25, 10**400, -(10**400), 1.0000001, 2.0000001, 0.9999999999]),
    st.sampled_from([float("inf"), float("-inf"), float("nan")]),
    st.floats(),
    st.floats(1e-3, 10.0),
    st.integers(),
)

TEXTS: Final = st.one_of(
    st.sampled_from(
        ["", " ", "x", "\x1b[31mred\x1b[0m", "a\nb", "\0", "θ", "𝕏", "../..", "'", '"']
    ),
    st.text(max_size=20),
    st.text(min_size=200, max_size=300),
)

ATOMS: Final = st.one_of(NUMBERS, TEXTS, st.booleans(), st.just(datetime.date(2019, 6, 28)))

WILD: Final = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=6,
)


def toml(value: Any) -> str:
    """Write a value as TOML does, or nearly."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return {"inf": "inf", "-inf": "-inf", "nan": "nan"}.get(repr(value), repr(value))
    if isinstance(value, int):
        return hex(value) if value >= 10**300 else str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {toml(item)}' for name, item in value.items())}}}"
    return str(value)


def document(tables: dict[str, Any]) -> bytes:
    """Write tables as a TOML file; lone surrogates become broken UTF-8."""
    lines = [f"{toml_key(key)} = {toml(value)}" for key, value in tables.items()]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def toml_key(key: str) -> str:
    """Write a key, in quotes where it needs them."""
    return key if key.isidentifier() and key.isascii() else json.dumps(key)


_VECTORS: Final = st.sampled_from(["theta[0]", "x[0]", "theta[1]", "x[1]", "theta[99]", "pi", "y"])


def _combined(inner: Strategy[str]) -> Strategy[str]:
    names = st.sampled_from([*FUNCTIONS, "sinh", "eval"])
    signs = st.sampled_from(["+", "-", "*", "/", "**", "//", "%", "@"])
    return st.one_of(
        st.tuples(inner, signs, inner).map(lambda parts: "({}{}{})".format(*parts)),
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: "{}{}{}".format(*parts)),
        st.tuples(names, inner).map(lambda parts: "{}({})".format(*parts)),
        inner.map(lambda part: f"-{part}"),
    )


_LONG: Final = st.sampled_from(
    [
        "(" * 150 + "x[0]" + ")" * 150,
        "[" * 500,
        "-" * 200 + "1",
        "+".join(["x[0]"] * 61),
        "*".join(["theta[0]"] * 70),
        "2**exp(exp(exp(exp(exp(3)))))",
        "x[0]" + "**2" * 40,
        "9" * 5000,
        "sin(" * 61 + "x[0]" + ")" * 61,
        "x[0]\\\n+1",
        "1 if x else 2",
        "__import__('os')",
        "x.__class__",
        "'\\d'",
        "1_000*x[0]",
    ]
)

FORMULAS: Final = st.one_of(
    st.recursive(st.one_of(_VECTORS, NUMBERS.map(toml)), _combined, max_leaves=8),
    _LONG,
    st.text(string.printable, max_size=30),
)
