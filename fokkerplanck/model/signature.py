"""What a field uses, remembered on disk for every field that was once read."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from fokkerplanck.runtime.cache import cache_directory, recall, remember

#: Modules that decide on what a field is read as.
_READERS: Final = ("constants", "expressions", "functions")


@dataclass(frozen=True)
class Signature:
    """Subscripts that a field uses, and whether it is smooth."""

    parameters: list[int]  #: subscripts of theta, ascending
    states: list[int]  #: subscripts of x, ascending
    is_smooth: bool  #: whether there are no kinks

    @property
    def last_parameter(self) -> int:
        """Largest subscript of theta, or -1."""
        return max(self.parameters, default=-1)


def signature(field: Sequence[str]) -> Signature:
    """Return what a field uses; a field that was read before is not read again.

    Args:
        field: One formula per component.

    Raises:
        ExpressionError: A formula is outside the whitelist.
    """
    path = cache_directory() / f"field_{_key(field)}.json"
    with suppress(OSError, ValueError, TypeError):
        return Signature(**json.loads(recall(path)))
    found = _read(field)
    with suppress(OSError):  # a folder that cannot be written only costs time
        remember(path, json.dumps(asdict(found)))
    return found


def _read(field: Sequence[str]) -> Signature:
    """Return what a field uses, from its expressions."""
    # needs SymPy, which takes as long to import as all the rest together
    from fokkerplanck.model.expressions import indices, is_smooth, parse

    expressions = [parse(text) for text in field]
    parameters, states = (sorted(indices(expressions, name)) for name in ("theta", "x"))
    return Signature(parameters, states, is_smooth(expressions))


def _key(field: Sequence[str]) -> str:
    """Return a name for the field and for what reads it."""
    folder = Path(__file__).parent
    sources = [folder.joinpath(f"{name}.py").read_text(encoding="utf-8") for name in _READERS]
    facts = json.dumps([list(field), sources], default=lambda value: [repr(value)])
    return hashlib.sha256(facts.encode()).hexdigest()[:24]
