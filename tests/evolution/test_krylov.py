"""The Krylov exponential against the dense one, and what the weak form preserves."""

import numpy as np
import pytest
from mpi4py import MPI
from scipy.linalg import eigh, expm

from fokkerplanck.evolution.dense_output import DenseOutput, TimeGrid
from fokkerplanck.evolution.krylov import STRIDE, KrylovError, KrylovSpace, Restart
from fokkerplanck.evolution.propagator import Propagator
from fokkerplanck.fem.quadrature.load import initial_load
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.operators.forms import mass_matrix, multiply, stiffness_matrix
from fokkerplanck.operators.gibbs import GibbsOperator
from fokkerplanck.problem.annuli import Annuli
from fokkerplanck.problem.initial import Bump, Polynomial, Uniform

SHIFT = 12.0
TIMES = (0.25, 1.0)


def double_well(points):
    r2 = np.sum(points**2, axis=-1)
    return 0.5 * r2 + 0.8 * np.cos(2.0 * points[..., 0]) + 0.3 * points[..., -1]


def propagator(comm, dimension, diffusion=0.7):
    if dimension == 1:
        recipe = Recipe("interval", Annuli(0.5, 1), 3.0, sizes=((0.0, 0.5),))
    else:
        recipe = Recipe("disk", Annuli(0.5, 1), 2.0, sizes=((0.0, 1.0),), sectors=8)
    degree = 6 if dimension == 1 else 4
    space = Space(recipe.build(comm), degree)
    return Propagator(GibbsOperator(space, double_well(space.points), diffusion), SHIFT)


def dense(matrix, comm):
    """All rows of a distributed matrix on every rank."""
    columns = np.arange(matrix.getSize()[1], dtype=np.int32)
    rows = np.arange(*matrix.getOwnershipRange(), dtype=np.int32)
    return np.vstack(comm.allgather(matrix.getValues(rows, columns)))


def gathered(owned, comm):
    return np.concatenate(comm.allgather(owned))


@pytest.fixture(scope="module", params=[1, 2], ids=["interval", "disk"])
def case(request):
    """A propagator, the load of a compact density, the dense generator and the whole start."""
    comm = MPI.COMM_WORLD
    forward = propagator(comm, request.param)
    load = initial_load(forward.operator.space, Bump((0.0,) * request.param, 0.5))
    M, K = (dense(f(forward.operator), comm) for f in (mass_matrix, stiffness_matrix))
    return forward, load, np.linalg.solve(M, K), np.linalg.solve(M, gathered(load, comm))


def in_norm(forward, vector):
    weights = gathered(forward.operator.krylov_weights, forward.operator.space.domain.comm)
    return np.sqrt(weights @ vector**2)


# -- against the dense exponential


def test_agrees_with_the_dense_exponential(case, comm):
    forward, load, generator, start = case
    output = forward.evolve(load, TIMES, 1e-12)
    for time in (0.25, 0.6, 1.0):
        exact = expm(-time * generator) @ start
        error = in_norm(forward, gathered(output.coefficients(time), comm) - exact)
        assert error < 1e-11 * in_norm(forward, exact)


def test_error_falls_geometrically_and_the_estimate_covers_it(case, comm):
    forward, load, generator, start = case
    output = forward.evolve(load, TIMES, 1e-12)
    exact = expm(-generator) @ start
    size = in_norm(forward, exact)
    sizes = range(STRIDE, output.size + 1, STRIDE)
    approximations = [gathered(output.coefficients(1.0, k), comm) for k in sizes]
    errors = np.array([in_norm(forward, u - exact) / size for u in approximations])
    for i in range(1, len(errors)):
        estimate = in_norm(forward, approximations[i] - approximations[i - 1]) / size
        assert estimate > 0.1 * errors[i] or errors[i] < 1e-12
    falling = errors[errors > 1e-10]
    assert len(falling) >= 3
    per_vector = (falling[-1] / falling[0]) ** (1.0 / (STRIDE * (len(falling) - 1)))
    assert per_vector < 0.6


def test_reported_change_is_the_worst_of_the_asked_times(case, comm):
    forward, load, _, _ = case
    loose = forward.evolve(load, TIMES, 1e-6)
    changes = []
    for time in TIMES:
        u, before = (
            gathered(loose.coefficients(time, k), comm) for k in (loose.size, loose.size - STRIDE)
        )
        changes.append(in_norm(forward, u - before) / in_norm(forward, u))
    assert loose.change == pytest.approx(max(changes), rel=1e-6)
    assert loose.change <= 1e-6
    tight = forward.evolve(load, TIMES, 1e-12)
    for time in TIMES:
        exact = tight.coefficients(time)
        error = in_norm(forward, gathered(loose.coefficients(time) - exact, comm))
        assert error <= loose.change * in_norm(forward, gathered(exact, comm))


def test_basis_is_orthonormal(case, comm):
    forward, load, _, _ = case
    output = forward.evolve(load, TIMES, 1e-12)
    weighted = forward.operator.krylov_weights[:, None] * output.basis
    gram = comm.allreduce(output.basis.T @ weighted)
    assert gram == pytest.approx(np.eye(output.size), abs=1e-13)


# -- dense output


def test_trajectory_meets_the_coefficients(case):
    forward, load, _, _ = case
    output = forward.evolve(load, TIMES, 1e-11)
    grid = TimeGrid(1.0, 8, 2)
    states = output.trajectory(grid)
    scale = np.linalg.norm(states[-1])
    assert grid.points[:4] == pytest.approx([0.0, 1 / 32, 1 / 16, 1 / 8])
    for time, state in zip(grid.points[1:], states[1:], strict=True):
        assert state == pytest.approx(output.coordinates(time), abs=1e-11 * scale)
    shorter = output.trajectory(grid, output.size - STRIDE)
    assert not shorter[:, -STRIDE:].any()
    early = output.coordinates(0.5, output.size - STRIDE)
    assert shorter[6] == pytest.approx(early, abs=1e-11 * scale)


def test_functionals_are_those_of_the_coefficients(case, comm):
    forward, load, _, _ = case
    space = forward.operator.space
    row = space.load(forward.operator.gibbs * space.points[..., 0])
    output = observed(forward, load, row).evolve(TIMES, 1e-10)
    values = output.observed
    direct = comm.allreduce(float(row @ output.coefficients(0.7)))
    assert values.shape == (1, output.size)
    assert values[0] @ output.coordinates(0.7) == pytest.approx(direct, abs=1e-14)


# -- what the weak form preserves


@pytest.mark.parametrize("family", [Bump, Polynomial, Uniform])
@pytest.mark.parametrize("tolerance", [1e-6, 1e-12])
def test_mass_stays_one(comm, family, tolerance):
    forward = propagator(comm, 1)
    load = initial_load(forward.operator.space, family((0.3,), 0.9))
    row = multiply(mass_matrix(forward.operator), np.ones_like(load))
    output = observed(forward, load, row).evolve(TIMES, tolerance)
    for time in TIMES:
        drift = output.observed[0] @ output.coordinates(time) - 1.0
        assert abs(drift) < 5e-13 + 0.01 * output.change


@pytest.mark.parametrize("dimension", [1, 2])
def test_gibbs_state_stays(comm, dimension):
    forward = propagator(comm, dimension)
    load = multiply(mass_matrix(forward.operator), np.ones(forward.operator.space.num_owned))
    output = forward.evolve(load, TIMES, 1e-12)
    for time in (0.1, 1.0, 5.0):
        assert output.coefficients(time) == pytest.approx(1.0, abs=1e-12)


def test_gibbs_energy_never_grows(case, comm):
    forward, load, _, _ = case
    output = forward.evolve(load, TIMES, 1e-10)
    matrix, energies = mass_matrix(forward.operator), []
    for time in np.linspace(0.02, 2.0, 40):
        u = output.coefficients(time)
        energies.append(comm.allreduce(float(u @ multiply(matrix, u))))
    assert np.all(np.diff(energies) <= 1e-13 * energies[0])
    mass_of_gibbs = forward.operator.space.integrate(forward.operator.gibbs)
    assert energies[-1] >= 1.0 / mass_of_gibbs * (1 - 1e-12)


def test_slowest_mode_decays_at_its_eigenvalue(comm):
    forward = propagator(comm, 1)
    M, K = (dense(f(forward.operator), comm) for f in (mass_matrix, stiffness_matrix))
    rates, modes = eigh(K, M)
    assert abs(rates[0]) < 1e-11
    start, _ = forward.operator.space.functions.dofmap.index_map.local_range
    mode = modes[start : start + forward.operator.space.num_owned, 1]
    output = forward.evolve(multiply(mass_matrix(forward.operator), mode), TIMES, 1e-12)
    decayed = np.exp(-rates[1]) * mode
    assert output.coefficients(1.0) == pytest.approx(decayed, abs=1e-10 * np.abs(modes).max())


# -- limits


def test_ritz_values_left_of_zero_are_left_out():
    values = np.array([0.9, 0.3, 0.05, -0.01])
    modes = np.eye(4) + 0.3 * np.tri(4).T
    hessenberg = modes @ np.diag(values) @ np.linalg.inv(modes)
    one = np.ones(4)
    output = DenseOutput(np.eye(4), one, hessenberg, 2.0, 0.0, SHIFT, np.empty((0, 4)))
    for time in (0.01, 0.5):
        decay = np.where(values > 0, np.exp(-time * SHIFT * (1 / values - 1)) / values, 0.0)
        exact = 2.0 * modes @ (decay * np.linalg.inv(modes)[:, 0])
        assert output.coordinates(time) == pytest.approx(exact, rel=1e-12)
        assert output.trajectory(TimeGrid(3 * time, 3))[1] == pytest.approx(exact, rel=1e-12)


def krylov_space(forward, load, max_size=120, observe=lambda u: np.empty(0), restart=None):
    weights, comm = forward.operator.krylov_weights, forward.operator.space.domain.comm
    start = forward.solve(load)
    return KrylovSpace(forward.step, start, weights, comm, SHIFT, max_size, observe, restart)


def observed(forward, load, row):
    return krylov_space(forward, load, observe=lambda u: row[None] @ u)


def test_too_small_a_basis_is_refused(case):
    forward, load, _, _ = case
    with pytest.raises(KrylovError, match="basis of 10 vectors reached a relative change"):
        krylov_space(forward, load, 10).evolve(TIMES, 1e-12)


def test_a_basis_grows_on(case, comm):
    forward, load, _, _ = case
    space = krylov_space(forward, load, 40)
    loose = space.evolve(TIMES, 1e-3)
    larger = space.extended(10)
    assert larger.size == loose.size + 10
    assert comm.allreduce(float(np.abs(larger.basis[:, : loose.size] - loose.basis).max())) == 0.0
    tight = forward.evolve(load, TIMES, 1e-12).coefficients(1.0)
    errors = [
        comm.allreduce(float(np.linalg.norm(e.coefficients(1.0) - tight) ** 2))
        for e in (loose, larger)
    ]
    assert errors[1] < 1e-4 * errors[0]
    assert space.can_grow(40 - larger.size)
    assert not space.can_grow(41 - larger.size)


# -- bases that are bounded


@pytest.mark.parametrize("held", [20, 27])
def test_restarts_cost_no_accuracy(case, comm, held):
    forward, load, generator, start = case
    row = forward.operator.space.load(forward.operator.gibbs)
    space = krylov_space(
        forward, load, observe=lambda u: row[None] @ u, restart=Restart(held, (*TIMES, 0.6))
    )
    output = space.evolve(TIMES, 1e-12)
    whole = forward.evolve(load, TIMES, 1e-12)
    assert whole.size > 30
    assert output.size <= 1.7 * whole.size
    assert len(output.vectors) <= held
    assert output.num_dropped == output.size - len(output.vectors) > 0
    for time in (*TIMES, 0.6):
        exact = expm(-time * generator) @ start
        error = in_norm(forward, gathered(output.coefficients(time), comm) - exact)
        assert error < 1e-11 * in_norm(forward, exact)
        mass = output.observed[0] @ output.coordinates(time)
        assert mass == pytest.approx(comm.allreduce(float(row @ output.coefficients(time))))


def test_errors_are_estimated_across_restarts(case, comm):
    forward, load, generator, start = case
    space = krylov_space(forward, load, restart=Restart(20, TIMES))
    exact = expm(-generator) @ start
    size = in_norm(forward, exact)
    for _ in range(12):
        output = space.extended(STRIDE)
        if output.size < 3 * STRIDE:
            continue
        approximations = [
            gathered(output.coefficients(1.0, output.size - k * STRIDE), comm) for k in range(3)
        ]
        errors = [in_norm(forward, u - exact) / size for u in approximations]
        estimate = in_norm(forward, approximations[0] - approximations[1]) / size
        assert estimate > 0.1 * errors[0] or errors[0] < 1e-12
        assert errors[0] < 0.5 * errors[2] or errors[0] < 1e-12


def test_a_bounded_basis_knows_the_times_it_was_told(case):
    forward, load, _, _ = case
    output = forward.evolve(load, TIMES, 1e-12, Restart(20, TIMES))
    with pytest.raises(ValueError, match=r"known at the times 0\.25, 1 only, got 0\.5"):
        output.coefficients(0.5)
    with pytest.raises(ValueError, match="at least 20 vectors, got 19"):
        Restart(19, TIMES)
