import json
import math
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from mpi4py import MPI

import fokkerplanck as fp
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.simulation.driver import EnsembleOptions, simulate
from fokkerplanck.simulation.ensemble import Simulation
from fokkerplanck.simulation.paths import integrate
from fokkerplanck.simulation.schemes import SRA1
from fokkerplanck.simulation.store import Store
from fokkerplanck.study import StudyError

SETTINGS = ["depths.values=[1, 4]"]


def simulation(comm):
    study = fp.Study.load("geyser1", SETTINGS)
    return Simulation(study, comm, SRA1, 64, 1, (0.1, 0.01), math.sqrt(2) * np.eye(1))


def summed(comm, folder, num_paths, **facts):
    """Sums over the paths in chunks of 200."""
    made, store = simulation(comm), Store(folder, {"seed": 1, **facts})
    if comm.rank == 0:
        store.prepare(resume=True)
    comm.barrier()

    ensemble = made.ensemble  # its tables are made together

    def sums(paths):
        return made.counters.count(integrate(ensemble, paths))

    return made.summed("paths", sums, num_paths, store, Progress(), 200)


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_sums_are_the_same_to_the_last_bit_on_any_number_of_ranks(comm, tmp_path):
    together = summed(comm, tmp_path / "together", 1_100)
    alone = summed(MPI.COMM_SELF, tmp_path / f"alone{comm.rank}", 1_100)
    assert_same(together, alone)


def test_runs_are_resumed_and_extended(comm, tmp_path):
    summed(comm, tmp_path / "short", 700)
    if comm.rank == 0:  # the last chunk is a part of one, another is lost
        (tmp_path / "short" / "paths-00000001.npz").unlink()
    comm.barrier()
    longer = summed(comm, tmp_path / "short", 1_100)
    assert_same(longer, summed(comm, tmp_path / "long", 1_100))


def test_sums_of_another_run_are_refused(comm, tmp_path):
    summed(comm, tmp_path, 100)
    comm.barrier()
    if comm.rank == 0:
        with pytest.raises(StudyError, match="of another run, with other seed"):
            Store(tmp_path, {"seed": 2}).prepare(resume=True)
        Store(tmp_path, {"seed": 2}).prepare(resume=False)
        assert not list(tmp_path.glob("*.npz"))


def test_counts_are_of_all_paths(comm, tmp_path):
    sums = summed(comm, tmp_path, 500)
    assert sums["paths"] == 500
    assert sums["steps"] == 500 * 64
    for name in ("sup", "radius", "annulus"):
        np.testing.assert_array_equal(sums[name].sum(axis=-1), 500)
    made = simulation(MPI.COMM_SELF)
    kept = integrate(made.ensemble, np.arange(500))
    gap = kept.states[:, 0] - kept.states[:, 2]
    np.testing.assert_allclose(sums["difference"][:, 1, 0, 0], 4 * gap[:, 0].sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(sums["largest"][0, 0], kept.sups[0].max())
    assert sums["exceed"][0, 1] == (kept.sups[0] > 0.01).sum()


def test_many_parameters_are_followed_by_the_kernels(comm, tmp_path):
    m = 6
    field = " + ".join(f"theta[{k}]*tanh(theta[{k + 1}]*x[0])" for k in range(0, m, 2))
    center = "initial.center=[" + "0.1, " * (m - 1) + "0.1]"
    settings = [f'network.field=["{field}"]', "depths.values=[2, 4]", center]
    study = fp.Study.load("geyser", settings, needs_mesh=False)
    options = EnsembleOptions(paths=24, steps=64, compare=False)
    outcome = simulate(study, options, comm, Progress(), tmp_path)
    assert outcome.holds
    assert outcome.differences.values.shape == (33, 2, m + 1)
    scaled = outcome.sums["largest"][:, 12]
    assert scaled[1] == pytest.approx(scaled[0], rel=0.5)


@pytest.mark.serial
def test_a_killed_run_is_resumed_to_the_same_numbers(tmp_path):
    command = [sys.executable, "-m", "fokkerplanck", "simulate", "geyser1", "--no-compare",
               "--paths", "33000", "--steps", "64", "--set", SETTINGS[0]]  # fmt: skip
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    run = subprocess.Popen([*command, "--out", str(killed)], stderr=subprocess.DEVNULL)
    first = killed / "simulation" / "paths-00000000.npz"
    while not first.exists():
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    stamp = first.stat().st_mtime_ns
    for folder, extra in ((killed, ["--resume"]), (whole, [])):
        subprocess.run(
            [*command, "--out", str(folder), *extra], check=True, capture_output=True, timeout=300
        )
    assert first.stat().st_mtime_ns == stamp
    assert (killed / "simulation.csv").read_bytes() == (whole / "simulation.csv").read_bytes()
    assert json.loads((whole / "simulation.json").read_text())["options"]["paths"] == 33_000
