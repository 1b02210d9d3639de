"""Study files: what they become, and what is refused, with the line that says why."""

import math
import pickle
from pathlib import Path

import numpy as np
import pytest

from fokkerplanck.risk.potential import NetworkPotential
from fokkerplanck.study import Study, StudyError, shipped_studies

MINIMAL = """
[network]
field = ["theta[0]*tanh(x[0])"]
[data]
inputs = [-1.0, 2]
targets = [[0.5], [-0.5]]
"""


@pytest.fixture
def study_file(tmp_path, comm):
    """Write a study file of the given text."""

    def write(text: str) -> Path:
        path = tmp_path / "study.toml"
        if comm.rank == 0:
            path.write_text(text, encoding="utf-8")
        comm.barrier()
        return path

    return write


def refusal(study: str | Path, *settings: str) -> str:
    with pytest.raises(StudyError) as caught:
        Study.load(study, settings)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 280
    return message


@pytest.mark.parametrize("name", shipped_studies())
def test_shipped_studies_load_and_survive_pickling(name):
    study = Study.load(name)
    again = pickle.loads(pickle.dumps(study))
    assert again.to_dict() == study.to_dict()
    assert np.array_equal(again.data.inputs, study.data.inputs)
    assert study.depths == (*(2**k for k in range(9 if name == "geyser3" else 11)), math.inf)
    assert (study.annuli.r0, study.annuli.count) == (1.0, 3)


def test_default_study_is_the_standardised_geyser():
    study = Study.load()
    assert study.name == "geyser"
    assert study.network.field == ("theta[0]*tanh(theta[1]*x[0])",)
    assert study.dimension == 2
    assert study.data.num_samples == 272
    np.testing.assert_allclose(study.data.inputs.mean(), 0.0, atol=1e-14)
    np.testing.assert_allclose(study.data.targets.std(), 1.0, rtol=1e-14)
    assert study.diffusion == pytest.approx(1.0, rel=1e-15)
    assert study.cap.breaks == (2.0, 4.0)


@pytest.mark.parametrize("depth", [1, 8, 64])
def test_default_study_has_no_symmetry_that_makes_a_bound_zero(depth):
    """V and V_N are even, so that p_0 must not be."""
    study = Study.load("geyser")
    theta = np.random.default_rng(3).uniform(-2.0, 2.0, (20, 2))
    table = study_potential(study).tabulate(np.concatenate([theta, -theta]), [depth])
    np.testing.assert_allclose(table.value[:20], table.value[20:], rtol=1e-12)
    np.testing.assert_allclose(*table.difference[depth].reshape(2, 20), rtol=1e-8, atol=1e-11)
    assert not study.initial.is_centered


def study_potential(study):
    return NetworkPotential(study.network, study.data, study.cap, study.penalty)


def test_sections_that_are_left_out_have_the_default_values(study_file):
    study = Study.load(study_file(MINIMAL))
    shipped = Study.load("geyser1")
    for section in ("cap", "penalty", "noise", "annuli", "depths", "time", "accuracy"):
        assert study.to_dict()[section] == shipped.to_dict()[section]
    assert study.initial == shipped.initial
    assert study.data.inputs.tolist() == [[-1.0], [2.0]]
    assert study.data.targets.tolist() == [[0.5], [-0.5]]


def test_data_file_is_looked_for_next_to_the_study(study_file, comm):
    path = study_file(
        "[network]\nfield = ['theta[0]*x[0]']\n"
        "[data]\nfile = 'a.csv'\ninputs = ['x']\ntargets = ['y']\nweights = 'w'\n"
    )
    if comm.rank == 0:
        path.with_name("a.csv").write_text("x,y,w\n1,2,3\n4,5,1\n")
    comm.barrier()
    study = Study.load(path)
    assert study.data.inputs.tolist() == [[1.0], [4.0]]
    assert study.data.weights.tolist() == [0.75, 0.25]


def test_settings_change_single_values():
    study = Study.load(
        "geyser1",
        ["cap.kind=hard", "depths.values=[8, 2]", "depths.limit=false", "network.parameters = 2",
         "initial.center=[0.5, -0.5]", "noise.sigma=[[0.5, 0], [0, 0.5]]"],
    )  # fmt: skip
    assert study.cap.kind == "hard"
    assert study.depths == (2, 8)
    assert study.initial.center == (0.5, -0.5)
    assert study.diffusion == 0.125
    assert study.with_settings(["time.horizon=2"]).horizon == 2.0
    assert study.horizon == 1.0


def test_data_file_of_a_setting_is_looked_for_from_the_working_directory(
    tmp_path, comm, monkeypatch
):
    if comm.rank == 0:
        (tmp_path / "own.csv").write_text("eruptions,waiting\n1,2\n3,5\n")
    comm.barrier()
    monkeypatch.chdir(tmp_path)
    study = Study.load("geyser1", ["data.file=own.csv"])
    assert study.data.num_samples == 2


def test_initial_options_reach_the_density():
    study = Study.load("geyser1", ["initial.kind=polynomial", "initial.power=3"])
    assert study.initial.power == 3


REFUSED = {
    "cap.raduis=2": "unknown key in [cap] 'raduis'; did you mean radius? (known: kind, radius)",
    "cpa.radius=2": "unknown section 'cpa'; did you mean cap? (known: accuracy, annuli, ",
    "data.colour='x'": "unknown key in [data] 'colour' (known: file, inputs, ",
    "data.generator='star'": "unknown key in [data] 'generator'",
    "radius=2": "--set must have the form section.key=value, got 'radius=2'",
    "cap.radius": "--set must have the form section.key=value, got 'cap.radius'",
    "cap.radius.x=2": "--set must have the form section.key=value",
    "cap.radius=two": "cap.radius must be a valid number, got 'two'",
    "cap.radius=true": "cap.radius must be a valid number, got True",
    "cap.radius=-1": "cap.radius must be greater than 0, got -1",
    "cap.radius=nan": "cap.radius must be a finite number, got nan",
    "cap.kind=soft": "cap.kind must be 'smooth', 'tanh', 'hard' or 'none', got 'soft'",
    "penalty.gamma=0": "penalty.gamma must be greater than 0, got 0",
    "penalty.gamma='1'": "penalty.gamma must be a valid number, got '1'",
    "penalty.potential=-theta[0]**2": "must be convex",
    "penalty.potential=theta[3]": "penalty uses theta[3]",
    "penalty.potential='1'": "must grow in every direction, got '1'",
    "penalty.potential=theta[0]": "must grow in every direction",
    "penalty.potential=exp(theta[0])": "must grow in every direction",
    "penalty.potential=(theta[0]-theta[1])**2": "which does not along theta = [",
    "penalty.potential=theta[0]**2+theta[1]**2+1e6": "must keep gamma H/4 within 690",
    "cap.radius=1e-12": "cap.radius must be equal to the spheres of other sections",
    "cap.radius=2.0000001": "got a sphere at 2.0000001 next to one at 2 of annuli.radius",
    "cap.radius=1e300": "cap.radius must lie between 1e-12 and 1e+12, got 1e+300",
    "initial.radius=1e-12": "initial.radius must be at least 1e-06 of the outer radius 8",
    "accuracy.relative=1e-300": "accuracy.relative must be greater than or equal to 0.000",
    "network.parameters=0x" + "f" * 5000: "network.parameters must ",
    "depths.values=" + "[" * 500: "depths.values must be a valid tuple",
    "penalty.potential=log(theta[0])": "must be finite",
    "penalty.potential=__import__('os')": "[penalty] ",
    "solver.method=lu": "solver.method must be 'auto', 'cholesky' or 'iterative', got 'lu'",
    "solver.memory=0": "solver.memory must be greater than 0, got 0",
    "noise.sigma=0": "noise.sigma must lie between 0 and 2, got 0",
    "noise.sigma=2": "noise.sigma must lie between 0 and 2, got 2; from 2 on the constant of (C)",
    "noise.sigma=nan": "noise.sigma must ",
    "noise.sigma=large": "noise.sigma must be a rectangular array of numbers, got 'large'",
    "noise.sigma=[[1, 0], [0, 1.5]]": "other matrices are not supported yet",
    "noise.sigma=[[1, 0.1], [0.1, 1]]": "other matrices are not supported yet",
    "noise.sigma=[[1, 0], [0]]": "noise.sigma must be a rectangular array of numbers",
    "noise.sigma=[[1]]": "noise.sigma must have 2 row(s), one per parameter, got 1",
    "initial.kind=ball": "initial.kind must be 'bump', ",
    "initial.radius=8.5": "outer radius 8 of the annuli, got 8.86056; annuli.count = 4 would fit",
    "initial.center=[8.0, 0.0]": "outer radius 8 of the annuli, got 9; annuli.count = 4 would fit",
    "initial.center=[0.0]": "initial.center must have 2 coordinate(s), one per parameter, got 1",
    "initial.center=[]": "initial.center must have at least 1 item",
    "initial.power=2": "power belongs to kind 'polynomial', got kind 'bump'",
    "annuli.radius=0": "annuli.radius must be greater than 0, got 0",
    "annuli.count=-1": "annuli.count must be greater than or equal to 0, got -1",
    "annuli.count=2.5": "annuli.count must be a valid integer, got 2.5",
    "depths.values=[1, 0]": "depths.values[1] must be greater than or equal to 1, got 0",
    "depths.values=[1.5]": "depths.values[0] must be a valid integer, got 1.5",
    "depths.values=[2, 2]": "depths.values must not repeat a depth",
    "depths.values=8": "depths.values must be a valid tuple, got 8",
    "depths.limit=1": "depths.limit must be a valid boolean, got 1",
    "time.horizon=0": "time.horizon must be greater than 0, got 0",
    "time.horizon=1e-11": "time.horizon must be at least 3.2e-11, so that the noise moves",
    "time.horizon=inf": "time.horizon must be a finite number, got inf",
    "accuracy.relative=1": "accuracy.relative must be less than 1, got 1",
    "data.file=none.csv": "none.csv must be an existing file",
    "data.file=3": "data.file must be a valid string, got 3",
    "data.inputs=['eruption']": "no column 'eruption'; its header is eruptions, waiting",
    "data.targets=['eruptions', 'waiting']": "data inputs and targets must have one shape",
    "data.standardize='yes'": "data.standardize must be a valid boolean, got 'yes'",
    "network.field=['tanh(theta[0]*theta[2]*x[0])']": "the field skips theta[1]",
    "network.field=['theta[0]*theta[1]*theta[2]*theta[3]*x[0]']": "at most 3 parameters",
    "network.field=['theta[0]*x[1]']": "the field uses x[1] but has 1 component(s)",
    "network.field=['tanh(theta[0])', 'tanh(theta[1])']": "one column for each of the network's 2",
    "network.field=['theta[0]*foo(x[0])']": "the name 'foo', which is not allowed",
    "network.field=['theta[0].real']": "[network] ",
    "network.field=['theta[0]*']": "cannot read expression",
    "network.field='theta[0]*x[0]'": "network.field must be a valid tuple",
    "network.field=[]": "got 0",
    "network.parameters=0": "network.parameters must be greater than or equal to 1, got 0",
    "network.parameters=1": "uses theta[1] but parameters is 1",
}


@pytest.mark.parametrize(
    ("setting", "reason"), REFUSED.items(), ids=[name[:60] for name in REFUSED]
)
def test_value_is_refused_with_its_reason(setting, reason):
    assert reason in refusal("geyser", setting)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[network\n", "is no TOML file: "),
        ("[cap]\nradius = 1\nradius = 2\n", "is no TOML file: "),
        ("", "network is required"),
        ("network = 3\n", "network must be a section, [network], got a single value"),
        ("[network]\nfield = ['theta[0]*x[0]']\n", "data is required"),
        ("[network]\nfield = ['theta[0]*x[0]']\n[data]\n", "data.inputs is required"),
        ("[network]\nparameters = 1\n", "network.field is required"),
        ("[[cap]]\nradius = 1\n", "cap must be a section, [cap], got a single value"),
        (MINIMAL + "weights = [1.0, -0.5]\n", "weights must be positive, got -0.5"),
        (MINIMAL + "weights = [1.0]\n", "data weights must have shape (2,)"),
        (MINIMAL.replace("2]", "'2']"), "data.inputs must be a rectangular array of numbers"),
        (MINIMAL.replace("2]", "[2]]"), "data.inputs must be a rectangular array of numbers"),
        (MINIMAL.replace("2]", "nan]"), "data.inputs[1][0] must be a finite number, got nan"),
        (MINIMAL.replace("2]", "2, 3]"), "data inputs and targets must have one shape"),
        (MINIMAL.replace("[-1.0, 2]", "[]").replace("[[0.5], [-0.5]]", "[]"), "at least one"),
        (MINIMAL + "[depths]\nvalues = []\nlimit = false\n", "[depths] needs at least one value"),
    ],
)
def test_file_is_refused_with_its_reason(study_file, text, reason):
    assert reason in refusal(study_file(text))


def test_name_that_is_neither_file_nor_shipped_is_refused(tmp_path):
    assert "one of the shipped studies geyser, geyser1, geyser3, star" in refusal("gyser")
    assert "must be a TOML file" in refusal(tmp_path)


def test_file_that_is_no_text_is_refused(tmp_path, comm):
    path = tmp_path / "study.toml"
    if comm.rank == 0:
        path.write_bytes(b"\xff\xfe\x00")
    comm.barrier()
    assert "cannot be read" in refusal(path)
