"""Inputs that are nearly right: studies, settings, recipes, data files, formulas, command lines."""

import io
import struct
import zipfile
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from fuzz_values import FORMULAS, NUMBERS, TEXTS, WILD, document, toml
from hypothesis import strategies as st

from fokkerplanck.study.sections import Settings, section_type

Strategy = st.SearchStrategy


@dataclass(frozen=True)
class Case:
    """A command line and the files that it finds in its working directory."""

    kind: str
    arguments: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict)


_BASE: Final[dict[str, Any]] = {
    "network": {"field": ["theta[0]*tanh(x[0])"]},
    "data": {"inputs": [-1.0, 2.0], "targets": [[0.5], [-0.5]]},
}

_KEYS: Final = [
    (section, key)
    for section in Settings.model_fields
    for form in ({}, {"file": ""}, {"generator": ""})
    for key in section_type(section, form).model_fields
]

#: Values that belong to some key or other.
_NEAR: Final = st.one_of(
    NUMBERS,
    st.sampled_from(["smooth", "hard", "none", "bump", "gaussian", "star", "auto", "quadratic"]),
    st.sampled_from(["data.csv", "data.npz", "none.csv", "."]),
    st.lists(NUMBERS, max_size=4),
    st.lists(st.lists(NUMBERS, max_size=3), max_size=3),
    FORMULAS,
    st.lists(FORMULAS, max_size=2),
    st.booleans(),
)

VALUES: Final = st.one_of(_NEAR, _NEAR, WILD)


@st.composite
def studies(draw: st.DrawFn) -> Case:
    """A study file with some keys that are wrong."""
    tables = {name: dict(table) for name, table in _BASE.items()}
    for section, key in draw(st.lists(st.sampled_from(_KEYS), max_size=3)):
        tables.setdefault(section, {})[key] = draw(VALUES)
    if draw(st.integers(0, 9)) == 0:
        tables[draw(st.one_of(TEXTS, st.sampled_from([*tables])))] = draw(WILD)
    content = draw(damaged(document(tables)))
    return Case("study", ("verify", "study.toml"), {"study.toml": content})


@st.composite
def settings(draw: st.DrawFn) -> Case:
    """Values on the command line."""
    words = []
    for section, key in draw(st.lists(st.sampled_from(_KEYS), min_size=1, max_size=3)):
        place = draw(
            st.sampled_from([f"{section}.{key}"] * 9 + [section, f"{section}.{key}.x", ""])
        )
        value = draw(st.one_of(VALUES.map(toml), VALUES.map(str), TEXTS, st.just("[" * 500)))
        words += ["--set", f"{place}={value}".replace("\0", "")]
    return Case("set", ("verify", "geyser1", *words))


_RECIPE_KEYS: Final = (
    "family", "annuli", "radius", "breaks", "points", "sizes", "sectors", "sides", "geometry_degree"
)  # fmt: skip

_RECIPE_VALUES: Final = st.one_of(
    NUMBERS,
    st.sampled_from(["disk", "interval", "6"]),
    st.lists(st.one_of(NUMBERS, st.sampled_from([1.00000001, 2.0, 0.0, -2.0])), max_size=4),
    st.lists(st.lists(NUMBERS, min_size=2, max_size=2), max_size=3),
    st.just([[0, 1e-9]]),
    st.just([[-1.0, 0.0, 1.0]] * 2),
    st.fixed_dictionaries({"radius": NUMBERS, "count": NUMBERS}),
    WILD,
)


@st.composite
def recipes(draw: st.DrawFn) -> Case:
    """A mesh recipe with some keys that are wrong."""
    family = draw(st.sampled_from(["interval", "disk", "ball"]))
    tables: dict[str, Any] = {
        "family": family,
        "radius": 4.0,
        "annuli": {"radius": 1.0, "count": 2},
        "sectors": 8,
        "sizes": [[0.0, 1.0]],
    }
    for key in draw(st.lists(st.sampled_from(_RECIPE_KEYS), max_size=3)):
        tables[key] = draw(_RECIPE_VALUES)
    if draw(st.integers(0, 9)) == 0:
        tables.pop(draw(st.sampled_from([*tables])))
    content = draw(damaged(document(tables)))
    return Case("recipe", ("mesh", "a.toml", "--out", "a.vtkhdf"), {"a.toml": content})


def _reader(name: str) -> tuple[str, ...]:
    study = [f"data.file={name}", "data.inputs=['x']", "data.targets=['y']"]
    return ("verify", "geyser1", *(word for text in study for word in ("--set", text)))


@st.composite
def csv_files(draw: st.DrawFn) -> Case:
    """A table with odd cells, in some encoding."""
    cells = st.one_of(NUMBERS.map(str), TEXTS, st.sampled_from(["1", "2.5", "-3e2", "1_0", '"1"']))
    width = draw(st.integers(1, 4))
    header = draw(st.permutations(["x", "y", *draw(st.lists(TEXTS, max_size=2))]))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=5))
    text = "\n".join(",".join(row) for row in [header, *rows])
    encoding = draw(st.sampled_from(["utf-8"] * 4 + ["utf-16", "utf-8-sig", "latin-1"]))
    content = draw(damaged(text.encode(encoding, "replace")))
    return Case("csv", _reader("data.csv"), {"data.csv": content})


_ARRAYS: Final = st.sampled_from(
    [
        np.arange(4.0),
        np.arange(4),
        np.ones((4, 1)),
        np.ones((4, 2)),
        np.ones(()),
        np.ones((0, 1)),
        np.array(["a"] * 4),
        np.array([1j] * 4),
        np.full(4, np.nan),
        np.arange(4, dtype=np.float16),
        np.array([2**63] * 4, dtype=np.uint64),
        np.zeros(4, dtype=[("a", float)]),
        np.array(["2019"] * 4, dtype="M8[Y]"),
        np.asfortranarray(np.arange(8.0).reshape(4, 2)),
        np.array([{}] * 4, dtype=object),
    ]
)

_HEADERS: Final = st.sampled_from(
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-4,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (10**9, 10**9), }",
        "{'descr': '<f8', 'shape': (4,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<f8', 'fortran_order': 1, 'shape': 4, }",
        "(" * 300,
        "{'descr': [('a', '<f8')] * 9, 'fortran_order': False, 'shape': (4,), }",
    ]
)


def _member(header: str) -> bytes:
    """An NPY member with a forged header."""
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\0" * 32


@st.composite
def npz_files(draw: st.DrawFn) -> Case:
    """An archive with odd arrays, forged headers, or damage."""
    file = io.BytesIO()
    if draw(st.booleans()):
        save = draw(st.sampled_from([np.savez, np.savez_compressed]))
        save(file, **{name: draw(_ARRAYS) for name in draw(st.sampled_from(["xy", "x", "xyz"]))})
    else:
        methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
        with zipfile.ZipFile(file, "w", draw(st.sampled_from(methods))) as archive:
            for name in ("x.npy", "y.npy"):
                archive.writestr(
                    name, draw(st.one_of(_HEADERS.map(_member), st.binary(max_size=40)))
                )
    content = draw(damaged(file.getvalue()))
    return Case("npz", _reader("data.npz"), {"data.npz": content})


@st.composite
def formulas(draw: st.DrawFn) -> Case:
    """A field or a penalty."""
    text = draw(FORMULAS).replace("\0", "")
    place = draw(st.sampled_from(["network.field", "penalty.potential"]))
    value = toml([text]) if place == "network.field" else toml(text)
    return Case("formula", ("verify", "geyser1", "--set", f"{place}={value}"))


_WORDS: Final = st.one_of(
    st.sampled_from(["verify", "mesh", "geyser1", "--out", "--set", "--explain", "--fields", "-h"]),
    st.sampled_from(["--help", "--version", "cap.radius=1", "=", ".", "/proc", "--", "-x"]),
    st.sampled_from(["\udcff", "a" * 5000, "/dev/null", "a.vtkhdf", "a.toml", "--out=/proc/x/y"]),
    TEXTS.map(lambda text: text.replace("\0", "")),
)


@st.composite
def commands(draw: st.DrawFn) -> Case:
    """Any words."""
    first = draw(st.sampled_from([("verify",), ("mesh",), ()]))
    words = tuple(draw(st.lists(_WORDS, max_size=4)))
    return Case("command", (*first, *words), {"a.toml": b"family = 'disk'"})


_SIZES: Final = st.sampled_from(
    [1e-12, 1e-6, 1e-4, 0.01, 0.1, 0.3, 1.0, 1.5, 2.0, 2.0000001, 3.0, 8.0, 20.0, 1e3, 1e6, 1e12]
)


@st.composite
def runs(draw: st.DrawFn) -> Case:
    """Studies that are right in form, at the edges of what can be computed."""
    numbers = st.sampled_from(
        ["cap.radius", "initial.radius", "annuli.radius", "time.horizon", "penalty.gamma"]
    )
    words = ["depths.values=[2, 16]", "accuracy.relative=1e-2"]
    words += [f"{name}={draw(_SIZES)!r}" for name in draw(st.lists(numbers, max_size=2))]
    words += draw(
        st.lists(
            st.sampled_from(
                [
                    *(f"cap.kind={kind}" for kind in ("smooth", "tanh", "hard", "none")),
                    *(f"initial.kind={kind}" for kind in ("uniform", "polynomial", "gaussian")),
                    *(f"annuli.count={count}" for count in (0, 1, 2, 6, 12, 30)),
                    *(f"noise.sigma={sigma}" for sigma in (1e-6, 0.1, 0.5, 1.0, 1.99, 1.999999)),
                    *(f"initial.center=[{x}]" for x in (1e-9, 1e-6, 0.3, -3.0)),
                    "penalty.potential=theta[0]**4",
                    "penalty.potential=exp(theta[0])+exp(-theta[0])",
                    "penalty.potential=theta[0]**2+1e6",
                    "penalty.potential=(theta[0]-3)**2",
                    "penalty.potential=1e-9*theta[0]**2",
                    "depths.values=[1000000000]",
                    "depths.limit=false",
                    "data.standardize=false",
                ]
            ),
            max_size=3,
        )
    )
    return Case("run", ("verify", "geyser1", *(w for word in words for w in ("--set", word))))


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut, overwrite or repeat a part, now and then."""
    how = draw(st.sampled_from(["not"] * 6 + ["cut", "overwrite", "append"]))
    place = draw(st.integers(0, max(len(content) - 1, 0)))
    if how == "cut":
        return content[:place]
    if how == "overwrite":
        return content[:place] + draw(st.binary(min_size=1, max_size=8)) + content[place + 8 :]
    return content + draw(st.binary(max_size=8)) if how == "append" else content


#: All kinds but `runs`, which compute.
KINDS: Final[dict[str, Strategy[Case]]] = {
    "study": studies(),
    "set": settings(),
    "recipe": recipes(),
    "csv": csv_files(),
    "npz": npz_files(),
    "formula": formulas(),
    "command": commands(),
}
