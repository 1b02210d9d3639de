"""The command line: exit codes, what is printed where, and that all ranks leave together."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI
from references.tables import example
from references.vtkhdf_reader import read

import fokkerplanck
from fokkerplanck import cli
from fokkerplanck.evolution.krylov import KrylovError
from fokkerplanck.linalg.conjugate_gradients import SolverError
from fokkerplanck.study import StudyError

BIN = Path(sys.executable).parent
MPIRUN = shutil.which("mpirun", path=str(BIN)) or shutil.which("mpirun")

RECIPE = """
family = "disk"
radius = 4.0
breaks = [1.5]
annuli = {radius = 1.0, count = 2}
"""


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command line in this process, in the temporary folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fokkerplanck", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        MPI.COMM_WORLD.barrier()
        output = capsys.readouterr()
        return int(caught.value.code or 0), output.out, output.err

    return call


@pytest.fixture
def driver(monkeypatch):
    """Replace the driver of `verify`."""

    return lambda action: monkeypatch.setattr(cli, "run", action)


def root() -> bool:
    return MPI.COMM_WORLD.rank == 0


@pytest.mark.parametrize(("holds", "code"), [(True, 0), (False, 1)])
def test_verify_writes_its_results_and_tells_whether_the_bounds_hold(run, driver, holds, code):
    seen = []

    def measured(study, comm, progress, fields):
        seen.append((study.name, study.horizon, comm.size))
        return example(holds)

    driver(measured)
    exit_code, out, err = run("verify", "geyser1", "--set", "time.horizon=2", "--out", "a/b")
    assert exit_code == code
    assert seen == [("geyser1", 2.0, MPI.COMM_WORLD.size)]
    assert {path.name for path in Path("a/b").iterdir()} == {
        "results.csv",
        "results.json",
        "bounds.png",
        "pictures.png",
    }
    assert err == ""
    assert ("written: a/b/results.csv" in out) == root()


def test_default_is_the_default_study_and_the_folder_results(run, driver):
    driver(lambda study, comm, progress, fields: example())
    assert run("verify")[0] == 0
    assert Path("results/results.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["verify", "none.toml"], "study 'none.toml' must be a TOML file or one of"),
        (["verify", "--set", "cap.radius=-1"], "cap.radius must be greater than 0, got -1"),
        (["verify", "--set", "cap"], "--set must have the form section.key=value, got 'cap'"),
        (["verify", "--out", "file/below"], "output folder 'file/below' must be writable"),
        (["verify", "--fast"], "No such option"),
        (["verify", "geyser", "star"], "unexpected extra argument"),
        (["prove"], "No such command 'prove'"),
        (["mesh"], "Missing argument 'RECIPE'"),
        (["mesh", "none.toml", "--out", "a.vtkhdf"], "recipe none.toml cannot be read"),
        (["mesh", "disk.toml", "--out", "a.xdmf"], "must end in .vtkhdf, got 'a.xdmf'"),
        (["mesh", "disk.toml", "--out", "file/a.vtkhdf"], "'file'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, driver, arguments, reason):
    driver(lambda study, comm, progress, fields: pytest.fail("nothing must be computed"))
    if root():
        Path("file").write_text("")
        Path("disk.toml").write_text(RECIPE)
    MPI.COMM_WORLD.barrier()
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == (1 if root() else 0)
    assert err.startswith("fokkerplanck: error: ") == root()
    assert (reason in err) == root()


def test_what_the_driver_refuses_is_bad_input_too(run, driver):
    def refuse(study, comm, progress, fields):
        raise StudyError("annuli.count = 2\nwould fit")

    driver(refuse)
    code, _, err = run("verify", "geyser1")
    assert code == 2
    assert err == ("fokkerplanck: error: annuli.count = 2 would fit\n" if root() else "")


@pytest.mark.parametrize("error", [KrylovError, SolverError])
def test_solver_without_a_result_ends_in_one_line(run, driver, error):
    def fails(study, comm, progress, fields):
        raise error("120 vectors do not do; try a shorter horizon")

    driver(fails)
    exit_code, _, err = run("verify", "geyser1")
    assert exit_code == 1
    assert err == ("fokkerplanck: 120 vectors do not do; try a shorter horizon\n" if root() else "")


@pytest.mark.parametrize("options", [[], ["--debug"]])
def test_error_of_our_own_is_one_line_and_its_traceback_is_kept(
    run, driver, monkeypatch, tmp_path, options
):
    def fail(study, comm, progress, fields):
        raise ArithmeticError("ours\x1b[31m\nagain")

    driver(fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, out, err = run("verify", *options)
    assert (code, out) == (1, "")
    if root():
        *before, line = err.splitlines()
        assert line.startswith("fokkerplanck: internal error in cli.py:")
        assert r"ArithmeticError: ours\x1b[31m again; " in line
        assert ("Traceback (most recent call last):" in before) == bool(options)
        kept = list(tmp_path.glob("fokkerplanck-crash-*.txt"))
        assert ["ArithmeticError: ours" in file.read_text() for file in kept] == (
            [] if options else [True]
        )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_the_commands(run, arguments):
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert ("verify" in out and "mesh" in out) == root()


def test_version(run):
    code, out, _ = run("--version")
    assert code == 0
    assert (fokkerplanck.__version__ in out) == root()


def test_mesh_is_one_file_for_paraview(run):
    if root():
        Path("disk.toml").write_text(RECIPE)
    MPI.COMM_WORLD.barrier()
    code, out, _ = run("mesh", "disk.toml", "--out", "out/disk.vtkhdf")
    assert code == 0
    assert ("written: out/disk.vtkhdf" in out) == root()
    assert [path.name for path in Path("out").iterdir()] == ["disk.vtkhdf"]
    assert set(read("out/disk.vtkhdf")["region"]) == {0, 1, 2}


def test_densities_are_one_file_for_paraview(run):
    settings = ["depths.values=[2]", "depths.limit=false", "accuracy.relative=1e-2"]
    options = [word for setting in settings for word in ("--set", setting)]
    code, out, _ = run("verify", "geyser1", "--fields", "--out", "out", *options)
    assert code == 0
    assert ("written: out/fields.vtkhdf" in out) == root()
    fields = read("out/fields.vtkhdf")
    theta = fields["Points"][:, 0]
    assert {0, 1, 2, 3} <= set(fields["region"])
    assert np.all(fields["density"] > 0)
    radius, uncertainty = np.abs(theta), fields["density_uncertainty"]
    assert np.all(uncertainty[radius < 4.0] < 1e-2 * fields["density"][radius < 4.0])
    # the wall reflects what should have left
    assert np.all(uncertainty[radius > 0.999 * radius.max()] > 0.5 * fields["density"].min())
    weighted = np.exp(0.125 * theta**2) * np.abs(fields["difference"])
    np.testing.assert_allclose(fields["weighted_error"], weighted, rtol=1e-12)
    np.testing.assert_allclose(10.0 ** fields["log_density"], fields["density"], rtol=1e-10)


def launched(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.serial
@pytest.mark.skipif(MPIRUN is None, reason="no mpirun")
def test_ranks_agree_on_bad_input(tmp_path):
    command = [MPIRUN, "-n", "2", sys.executable, "-m", "fokkerplanck", "verify"]
    done = launched(*command, "--set", "time.horizon=0", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == ("fokkerplanck: error: time.horizon must be greater than 0, got 0\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.serial
@pytest.mark.skipif(MPIRUN is None, reason="no mpirun")
def test_version_is_printed_once_under_mpirun(tmp_path):
    done = launched(MPIRUN, "-n", "2", str(BIN / "fokkerplanck"), "--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("version") == 1
