"""Options of Numba that the compiled functions share."""

from typing import Any, Final

OPTIONS: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "fastmath": {"contract"},
    "forceinline": True,
}
EXACT: Final[dict[str, Any]] = {"error_model": "numpy", "forceinline": True}
COMPILED: Final[dict[str, Any]] = {"error_model": "numpy", "fastmath": {"contract"}}
REASSOCIATED: Final[dict[str, Any]] = {
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc"},
}
INLINED: Final[dict[str, Any]] = {**COMPILED, "inline": "always"}
ENTRY: Final[dict[str, Any]] = {**COMPILED, "cache": True, "nogil": True}
