"""Random studies: ordinary ones, ones from all that are valid, and small changes of them.

Each follows from its seed. Unusual ones have fields from the whole expression language, kinks on
cell ends and just beside, every cap, penalty and initial density, and numbers at the ends of their
ranges.
"""

from dataclasses import dataclass

import numpy as np

from fokkerplanck.model.expressions import FUNCTIONS

Tables = dict[str, dict[str, object]]

#: Fields of ordinary studies, of one and of two parameters.
LINES = ("theta[0]*tanh(x[0])", "tanh(theta[0]*x[0])", "theta[0]*x[0]", "sin(theta[0]*x[0])")
PLANES = ("theta[0]*tanh(theta[1]*x[0])", "tanh(theta[0]*x[0] + theta[1])")

#: Fields with a kink, or nearly one, where z = b.
KINKED = (
    "relu({z} - {b})",
    "theta[0]*relu({z} - {b})",
    "sqrt(({z} - {b})**2)",
    "(({z} - {b})**2)**0.75",
    "relu({z} - {b}) - 0.5*relu({b} - {z})",
    "relu(tanh({z}) - tanh({b}))",
    "gelu(20*({z} - {b}))/20",
    "softplus(50*({z} - {b}))/50",
)

#: Convex potentials of one parameter t; those of several are their sums.
PENALTIES = (
    "{t}**2",
    "{t}**4/4 + {t}**2/10",
    "{t}**2/2 + sqrt(({t} - {c})**2)",
    "{t}**2/2 + 3*relu({t} - {c})",
    "relu({t} - {c})**2 + {t}**2/3",
    "{t}**2/4 + ({t}**2)**0.75",
    "exp({t}/2) + exp(-{t}/2)",
    "softplus(8*({t} - {c}))/4 + {t}**2/3",
    "sqrt(1 + 16*{t}**2) + {t}**2/10",
)

#: Distances of kinks from places where cells end.
OFFSETS = (0.0, 1e-3, -1e-3, 1e-6, 0.0372, -0.21)


@dataclass(frozen=True)
class Origin:
    """Where a study comes from."""

    seed: int
    dimension: int
    mutations: tuple[int, ...] = ()  #: seeds of changes, in their order

    @property
    def tables(self) -> Tables:
        """The tables of the study."""
        tables = unusual_study(self.seed, self.dimension)
        for seed in self.mutations:
            tables = mutated(tables, seed)
        return tables

    def changed(self, seed: int) -> "Origin":
        """A study near this one."""
        return Origin(self.seed, self.dimension, (*self.mutations, seed))

    def __str__(self) -> str:
        return "+".join(map(str, (self.seed, *self.mutations)))


def random_study(seed: int, dimension: int) -> Tables:
    """The tables of an ordinary study; every value is drawn from the range that stands here."""
    draw = np.random.default_rng(seed)
    samples = int(draw.integers(1, 6))
    kind = str(draw.choice(["bump", "polynomial", "gaussian", "uniform"]))
    radius = float(draw.uniform(0.1, 0.25) if kind == "gaussian" else draw.uniform(0.4, 1.0))
    return {
        "network": {
            "field": [str(draw.choice(LINES if dimension == 1 else PLANES))],
            "parameters": dimension,
        },
        "data": {
            "inputs": draw.uniform(-1.5, 1.5, samples).tolist(),
            "targets": draw.uniform(-1.5, 1.5, samples).tolist(),
        },
        "cap": {
            "kind": str(draw.choice(["smooth", "tanh"])),
            "radius": float(draw.uniform(0.7, 1.5)),
        },
        "penalty": {"gamma": float(draw.uniform(0.3, 1.0))},
        "noise": {"sigma": float(draw.uniform(1.0, 1.6))},
        "initial": {
            "kind": kind,
            "radius": radius,
            "center": draw.uniform(-0.4, 0.4, dimension).tolist(),
        },
        "annuli": {"radius": 1.0, "count": 2},
        "depths": {"values": [1, 4, 32, 1024], "limit": True},
        "time": {"horizon": float(draw.uniform(0.4, 1.5))},
        "accuracy": {"relative": float(10.0 ** draw.uniform(-6.0, -3.0))},
    }


def unusual_study(seed: int, dimension: int) -> Tables:
    """The tables of a study of one or two parameters."""
    draw = np.random.default_rng(seed)
    inputs, targets = _samples(draw)
    kind = _choice(draw, ("smooth", "tanh", "hard", "none"))
    radius = _extreme(draw, 1.0, 0.6, (0.05, 0.3, 4.0))
    return {
        "network": {"field": [_field(draw, dimension, inputs)], "parameters": dimension},
        "data": {"inputs": inputs, "targets": targets},
        "cap": {"kind": kind, "radius": radius},
        "penalty": {
            "gamma": _extreme(draw, 0.5, 0.5, (0.05, 0.15, 4.0)),
            "potential": _penalty(draw, dimension),
        },
        "noise": {"sigma": min(_extreme(draw, 1.3, 0.2, (0.45, 0.8, 1.95)), 1.95)},
        "initial": _initial(draw, dimension),
        "annuli": {"radius": 1.0, "count": int(_choice(draw, (1, 2, 2, 3)))},
        "depths": {"values": _depths(draw), "limit": bool(draw.random() < 0.9)},
        "time": {"horizon": _extreme(draw, 0.8, 0.4, (1e-4, 1e-2, 20.0, 300.0))},
        "accuracy": {"relative": float(10.0 ** draw.uniform(-6.0, -3.0))},
    }


def mutated(tables: Tables, seed: int) -> Tables:
    """A study that differs in one table from another one."""
    draw = np.random.default_rng(seed)
    dimension = int(tables["network"]["parameters"])
    other = unusual_study(int(draw.integers(2**31)), dimension)
    name = _choice(
        draw, ("network", "data", "cap", "penalty", "noise", "initial", "time", "number")
    )
    if name != "number":
        return {**tables, name: other[name]}
    # A number in the middle of a table, moved a little: a kink that leaves a cell end.
    places = [
        (section, key)
        for section, table in tables.items()
        for key, value in table.items()
        if isinstance(value, float)
    ]
    section, key = places[int(draw.integers(len(places)))]
    factor = 1.0 + float(_choice(draw, (1e-3, -1e-3, 0.1, -0.1, 0.5)))
    return {**tables, section: {**tables[section], key: factor * float(tables[section][key])}}


def expression(draw: np.random.Generator, dimension: int, depth: int) -> str:
    """A formula in theta and x[0], nested so deep, that is finite nearly everywhere."""
    if depth == 0:
        theta = f"theta[{draw.integers(dimension)}]"
        leaves = (theta, "x[0]", f"{theta}*x[0]", f"{draw.normal():.4g}", f"({theta} - 0.3)*x[0]")
        return _choice(draw, leaves)
    inner = expression(draw, dimension, depth - 1)
    kind = draw.random()
    if kind < 0.45:
        other = expression(draw, dimension, int(draw.integers(depth)))
        return f"({inner} {_choice(draw, ('+', '-', '*'))} {other})"
    scaled = f"({_extreme(draw, 1.0, 0.5, (0.01, 30.0)):.4g}*{inner})"
    if kind < 0.65:
        wrappers = ("sqrt({u}**2)", "sqrt(1 + {u}**2)", "log(1 + {u}**2)", "1/(1 + {u}**2)")
        powers = ("({u}**2)**0.25", "({u}**2)**0.75", "({u}**2)**1.5", "{u}**2", "{u}**3")
        return str(_choice(draw, wrappers + powers)).replace("{u}", scaled)
    names = [name for name in FUNCTIONS if name not in ("exp", "log", "sqrt")]
    name = _choice(draw, (*names, "exp"))
    return f"exp(-{scaled}**2)" if name == "exp" else f"{name}({scaled})"


def _field(draw: np.random.Generator, dimension: int, inputs: list[float]) -> str:
    if draw.random() < 0.5:
        return expression(draw, dimension, int(draw.integers(1, 4)))
    place = float(_choice(draw, (0.0, 0.25, 0.5, 1.0, 2.0))) + float(_choice(draw, OFFSETS))
    pre = "theta[0]*x[0]" if dimension == 1 else "(theta[0]*x[0] + theta[1])"
    bias = place * (inputs[0] or 1.0)
    return str(_choice(draw, KINKED)).format(z=pre, b=f"({bias!r})")


def _samples(draw: np.random.Generator) -> tuple[list[float], list[float]]:
    count = int(_choice(draw, (1, 1, 2, 3, 5, 20, 300, 10_000)))
    scale = float(_choice(draw, (1.0, 1.0, 1.0, 0.01, 10.0, 1000.0)))
    inputs = scale * draw.normal(size=count)
    if draw.random() < 0.05:
        inputs[:] = 0.0
    targets = draw.uniform(-1.5, 1.5, count)
    return inputs.tolist(), targets.tolist()


def _initial(draw: np.random.Generator, dimension: int) -> dict[str, object]:
    kind = _choice(draw, ("bump", "polynomial", "gaussian", "uniform"))
    table: dict[str, object] = {
        "kind": kind,
        "radius": min(_extreme(draw, 0.6, 0.4, (0.003, 0.05)), 1.2),
        "center": (draw.uniform(-0.5, 0.5, dimension) * (draw.random() < 0.8)).tolist(),
    }
    if kind == "polynomial":
        table["power"] = float(_choice(draw, (0.0, 0.5, 1.0, 2.0, 3.5, 12.0)))
    return table


def _penalty(draw: np.random.Generator, dimension: int) -> str:
    if draw.random() < 0.5:
        return "quadratic"
    template, kink = str(_choice(draw, PENALTIES)), float(_choice(draw, OFFSETS))
    place = f"({kink + float(_choice(draw, (0.0, 0.5, 1.0)))!r})"
    return " + ".join(template.format(t=f"theta[{i}]", c=place) for i in range(dimension))


def _depths(draw: np.random.Generator) -> list[int]:
    choices = (1, 2, 3, 5, 8, 17, 64, 100, 1024)
    return sorted(int(n) for n in draw.choice(choices, int(draw.integers(1, 5)), replace=False))


def _extreme(
    draw: np.random.Generator, middle: float, spread: float, ends: tuple[float, ...]
) -> float:
    """Mostly a number about the middle, spread logarithmically, sometimes an extreme one."""
    if draw.random() < 0.2:
        return float(_choice(draw, ends))
    return float(middle * np.exp(draw.uniform(-spread, spread)))


def _choice(draw: np.random.Generator, items: tuple[object, ...]) -> object:
    return items[int(draw.integers(len(items)))]
