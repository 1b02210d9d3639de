"""Sums of chunks of paths on disk: what a killed run has done, a resumed one does not do again."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from fokkerplanck.runtime.files import replaced
from fokkerplanck.simulation.statistics import Sums
from fokkerplanck.study import StudyError

_FACTS: Final = "facts"


@dataclass(frozen=True)
class Store:
    """A folder of NPZ files, one a chunk, each written as a whole or not at all.

    HDF5 would do as well, but the library that h5py brings must not meet that of DOLFINx in one
    process.
    """

    folder: Path
    facts: Mapping[str, Any]  #: what the sums depend on, in values that JSON has

    def prepare(self, resume: bool) -> None:
        """Create the folder; remove chunks that are not to be used. On one rank.

        Raises:
            StudyError: a chunk is of other facts, so that the run cannot be resumed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.folder.glob("*.npz")):
            if not resume:
                path.unlink()
            elif differing := self._differing(path):
                raise StudyError(
                    f"{path} is of another run, with other {', '.join(differing)}; leave out "
                    "--resume to begin anew, or choose another --out"
                )

    def has(self, kind: str, chunk: int, num_paths: int) -> bool:
        """Whether the sums of a chunk with this number of paths are there."""
        path = self._path(kind, chunk)
        if not path.exists():
            return False
        with np.load(path) as file:
            return int(file["paths"]) == num_paths

    def save(self, kind: str, chunk: int, sums: Sums) -> None:
        """Write the sums of a chunk."""
        facts = np.array(json.dumps(self.facts, sort_keys=True))
        content: dict[str, Any] = {**sums, _FACTS: facts}
        with replaced(self._path(kind, chunk)) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **content)

    def load(self, kind: str, chunk: int) -> Sums:
        """Read the sums of a chunk."""
        with np.load(self._path(kind, chunk)) as file:
            return {name: file[name] for name in file.files if name != _FACTS}

    def _path(self, kind: str, chunk: int) -> Path:
        return self.folder / f"{kind}-{chunk:08d}.npz"

    def _differing(self, path: Path) -> list[str]:
        """Names of the facts that a file does not share."""
        try:
            with np.load(path) as file:
                known = json.loads(str(file[_FACTS]))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise StudyError(f"{path} cannot be read: {error}") from error
        own = json.loads(json.dumps(self.facts))
        return sorted(name for name in {*known, *own} if known.get(name) != own.get(name))


def digest(*arrays: Any) -> str:
    """A name for the contents of arrays."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()
