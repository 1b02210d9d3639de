import dataclasses
from pathlib import Path

import numpy as np
import pytest
import ufl
from dolfinx import fem
from mpi4py import MPI

from fokkerplanck.fem.cells import geometry_at
from fokkerplanck.fem.space import Space
from fokkerplanck.mesh.ball import CubedSphere
from fokkerplanck.mesh.recipe import Recipe
from fokkerplanck.problem.annuli import Annuli

MESHES = Path(__file__).parents[2] / "meshes"
DISK = Recipe("disk", Annuli(1.0, 2), 5.0, breaks=(1.5, 3.0))
BALL = Recipe("ball", Annuli(1.0, 1), 2.5, sizes=((0.0, 1.0),), sectors=8, geometry_degree=8)
INTERVAL = Recipe("interval", Annuli(0.5, 3), 4.5, breaks=(1.3,), points=(0.2, -7.0))


def space_of(recipe, comm=MPI.COMM_WORLD):
    return Space(recipe.build(comm), 2, 12)


def region_volumes(space):
    """Volume of each region, by the Gauss rule."""
    domain = space.domain
    cells = space.weights.sum(axis=1)
    count = domain.annuli.count + 2
    local = np.bincount(domain.regions[: len(cells)], cells, minlength=count)
    return domain.comm.allreduce(local)


@pytest.mark.parametrize("degree", [5, 6, 8, 10])
def test_area_of_the_disk(degree):
    recipe = Recipe("disk", Annuli(1.0, 2), 5.0, sectors=16, geometry_degree=degree)
    radii = np.array([0.0, 1.0, 2.0, 4.0, 5.0])
    expected = np.pi * np.diff(radii**2)
    np.testing.assert_allclose(region_volumes(space_of(recipe)), expected, rtol=3e-14)


@pytest.mark.parametrize(("sectors", "degree"), [(8, 8), (12, 8), (16, 6)])
def test_volume_of_the_ball_and_its_regions(sectors, degree):
    recipe = dataclasses.replace(BALL, sectors=sectors, geometry_degree=degree)
    expected = 4 / 3 * np.pi * np.diff(np.array([0.0, 1.0, 2.0, 2.5]) ** 3)
    np.testing.assert_allclose(region_volumes(space_of(recipe)), expected, rtol=1e-12)


def test_area_of_the_boundary_of_the_ball(comm):
    mesh = BALL.build(comm).mesh
    ds = ufl.Measure("ds", mesh, metadata={"quadrature_degree": 22})
    area = fem.assemble_scalar(fem.form(fem.Constant(mesh, 1.0) * ds))
    assert comm.allreduce(area) == pytest.approx(4 * np.pi * 2.5**2, rel=1e-12)


def test_every_rank_makes_its_share_of_the_ball(comm, monkeypatch):
    sphere, made = BALL.cubed_sphere, {}
    for name in ("nodes", "cells"):
        original = getattr(CubedSphere, name)

        def spy(self, numbers, *args, name=name, original=original):
            made[name] = comm.allgather(len(numbers))
            return original(self, numbers, *args)

        monkeypatch.setattr(CubedSphere, name, spy)
    BALL.build(comm)
    for name, total in (("nodes", sphere.num_nodes), ("cells", sphere.num_cells)):
        assert sum(made[name]) == total
        assert max(made[name]) <= total / comm.size + 1


@pytest.mark.parametrize("recipe", [DISK, BALL])
def test_cells_are_shared_out_evenly(comm, recipe):
    shares = comm.allgather(recipe.build(comm).num_owned_cells)
    assert max(shares) <= 1.01 * sum(shares) / comm.size + 1


def test_volume_of_a_ball_with_unequal_sides():
    sides = ((-1.0, 1.0), (-1.0, -0.3, 0.2, 1.0), (-1.0, 0.1, 1.0))
    recipe = dataclasses.replace(BALL, sides=sides, geometry_degree=10)
    expected = 4 / 3 * np.pi * np.diff(np.array([0.0, 1.0, 2.0, 2.5]) ** 3)
    # A cell of a quarter of a turn meets the spheres between its nodes to this.
    np.testing.assert_allclose(region_volumes(space_of(recipe)), expected, rtol=1e-7)


@pytest.mark.parametrize("counts", [(2, 2, 2), (1, 2, 3), (3, 1, 2)])
def test_numbers_of_nodes_on_the_surface_of_the_cube(counts):
    x, y, z = (np.linspace(-1.0, 1.0, count + 1) for count in counts)
    sphere = CubedSphere(0.4, np.array([1.0, 2.0]), np.array([0.0, 1.0]), (x, y, z), 3)
    lattice = np.stack(np.unravel_index(np.arange(sphere._num_core), sphere._steps + 1), axis=1)
    surface = lattice[np.any((lattice == 0) | (lattice == sphere._steps), axis=1)]
    numbers = np.arange(sphere._num_surface)
    np.testing.assert_array_equal(sphere._surface_place(numbers), surface)
    np.testing.assert_array_equal(sphere._surface_number(surface), numbers)


def test_length_of_the_interval():
    radii = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 4.5])
    np.testing.assert_allclose(region_volumes(space_of(INTERVAL)), 2 * np.diff(radii), rtol=1e-14)


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_area_converges_with_twice_the_geometry_degree(degree):
    errors = []
    for sectors in (16, 32):
        recipe = Recipe(
            "disk", Annuli(1.0, 0), 1.0, sectors=sectors, geometry_degree=degree, sizes=((0, 1.0),)
        )
        errors.append(abs(region_volumes(space_of(recipe)).sum() - np.pi))
    assert np.log2(errors[0] / errors[1]) > 2 * degree - 0.2


@pytest.mark.parametrize("recipe", [DISK, INTERVAL, BALL], ids=["disk", "interval", "ball"])
def test_no_cell_crosses_a_sphere(recipe):
    domain = recipe.build(MPI.COMM_WORLD)
    line = np.linspace(0.0, 1.0, 9)
    m = domain.dimension
    grid = np.stack(np.meshgrid(*[line] * m, indexing="ij"), axis=-1).reshape(-1, m)
    radii = np.linalg.norm(geometry_at(domain, grid).points, axis=2)
    for sphere in recipe.spheres:
        # Curved facets meet the sphere at their nodes, and between them to this.
        inside = radii.max(axis=1) <= sphere * (1 + 1e-8)
        outside = radii.min(axis=1) >= sphere * (1 - 1e-8)
        assert np.all(inside | outside)


def test_interval_has_the_points_it_is_asked_for():
    domain = INTERVAL.build(MPI.COMM_WORLD)
    ends = np.concatenate(domain.comm.allgather(domain.mesh.geometry.x[:, 0]))
    for point in (0.2, -1.3, 1.3, -4.5, 4.5, 0.0):
        assert np.min(np.abs(ends - point)) < 1e-12
    assert np.max(np.abs(ends)) <= 4.5


def test_radial_sizes_are_kept():
    recipe = Recipe("interval", Annuli(1.0, 2), 4.0, sizes=((0.0, 0.1), (2.0, 0.3), (4.0, 0.7)))
    space = space_of(recipe)
    middle = np.abs(space.points[..., 0].mean(axis=1))
    allowed = np.interp(middle, [0.0, 2.0, 4.0], [0.1, 0.3, 0.7])
    assert np.all(space.weights.sum(axis=1) <= 1.05 * allowed)


@pytest.mark.parametrize("recipe", [DISK, INTERVAL, BALL], ids=["disk", "interval", "ball"])
def test_mesh_is_the_same_on_all_numbers_of_ranks(recipe):
    domain, alone = recipe.build(MPI.COMM_WORLD), recipe.build(MPI.COMM_SELF)
    assert domain.comm.allreduce(domain.num_owned_cells) == alone.num_owned_cells
    own = domain.mesh.topology.original_cell_index[: domain.num_owned_cells]
    where = np.argsort(alone.mesh.topology.original_cell_index)[own]
    middle = np.full((1, domain.dimension), 0.3)
    ours, theirs = geometry_at(domain, middle), geometry_at(alone, middle)
    np.testing.assert_allclose(ours.points, theirs.points[where], atol=1e-14)
    np.testing.assert_allclose(ours.jacobians, theirs.jacobians[where], atol=1e-14)


@pytest.mark.parametrize("name", ["interval", "disk", "ball"])
def test_shipped_recipes(name):
    recipe = Recipe.load(MESHES / f"{name}.toml")
    assert recipe.family == name
    assert recipe.annuli == Annuli(1.0, 3)
    np.testing.assert_array_equal(recipe.spheres, [1.0, 2.0, 4.0, 8.0])
    volume = {"interval": 16.0, "disk": np.pi * 64, "ball": 4 / 3 * np.pi * 512}[name]
    np.testing.assert_allclose(region_volumes(space_of(recipe)).sum(), volume, rtol=1e-14)


GOOD = 'family = "disk"\nradius = 4.0\nannuli = {radius = 1.0, count = 2}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("family = ", "is no TOML file"),
        (GOOD + "size = 1", "unknown key 'size'"),
        ('family = "disk"\nradius = 4.0', "annuli is required"),
        (GOOD.replace("disk", "cube"), "family must be 'interval', 'disk' or 'ball', got 'cube'"),
        (GOOD.replace("4.0", "3.0"), "mesh radius must be at least"),
        (GOOD + "sizes = [[0.0, 0.0]]", "mesh sizes must be positive"),
        (GOOD.replace("4.0", '"6"'), "radius must be a valid number, got '6'"),
        (GOOD + "sectors = 16.0", "sectors must be a valid integer, got 16.0"),
        (GOOD + "sectors = 4000000000", "sectors must be less than or equal to"),
        (GOOD + "breaks = [-2.0]", "mesh breaks must be positive"),
        (GOOD + "breaks = [0.0]", "mesh breaks must be positive"),
        (GOOD + "breaks = [1.00000001]", "1e-06 of the radius apart, got 1 and 1.00000001"),
        (GOOD + "breaks = [1e-12]", "1e-06 of the radius apart, got 0 and 1e-12"),
        (GOOD + "sizes = [[0, 1e-9]]", "at most 5000000 nodes"),
        (GOOD + "sizes = [[0, 1e-300]]", "at most 5000000 nodes"),
        (GOOD + "sizes = [[1, 1], [0, 1]]", "must have increasing radii"),
        (GOOD + f"points = [{'1' * 5000}]", "too many digits"),
        (GOOD + f"points = {'[' * 500}", "nested too deeply|no TOML"),
        (GOOD + "sizes = [0.0]", "sizes must be a list of"),
        (GOOD + "sectors = 6", "mesh sectors must be a positive multiple of 4"),
        (GOOD + "sides = [[-1.0, 1.0]]", "mesh sides of the disk must be 2 increasing lists"),
        (GOOD + "geometry_degree = 11", "mesh geometry_degree must lie in 1..10"),
    ],
)
def test_bad_recipes_name_the_key(tmp_path, text, message):
    path = tmp_path / f"recipe{MPI.COMM_WORLD.rank}.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        Recipe.load(path)


def test_missing_recipe():
    with pytest.raises(ValueError, match="cannot be read"):
        Recipe.load(Path("no such recipe.toml"))
