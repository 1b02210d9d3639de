"""VTKHDF files as arrays.

h5py brings an HDF5 library of its own, which must not meet that of DOLFINx in one process.
"""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np


def read(path):
    """The arrays of a file by name, checked against its counts, on all ranks. Collective."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    arrays = None
    if comm.rank == 0:
        done = subprocess.run(
            [sys.executable, __file__, str(path)], capture_output=True, check=True, timeout=60
        )
        arrays = dict(np.load(io.BytesIO(done.stdout)))
    return comm.bcast(arrays)


def _load(path: Path):
    import h5py

    with h5py.File(path) as file:
        group = file["VTKHDF"]
        assert group.attrs["Type"] == b"UnstructuredGrid"
        assert tuple(group.attrs["Version"]) == (2, 2)
        names = ("Points", "Connectivity", "Offsets", "Types")
        arrays = {name: group[name][:] for name in names}
        for fields in ("PointData", "CellData"):
            for name, values in group.get(fields, {}).items():
                arrays[name] = values[:].squeeze()
        for count, name in (("NumberOfPoints", "Points"), ("NumberOfCells", "Types")):
            assert group[count][:] == [len(arrays[name])]
    return arrays


if __name__ == "__main__":
    content = io.BytesIO()
    np.savez(content, **_load(Path(sys.argv[1])))
    sys.stdout.buffer.write(content.getvalue())
