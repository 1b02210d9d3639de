"""The driver: from a study to everything that its paths show."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from fokkerplanck.risk.sweep import RiskError
from fokkerplanck.runtime.arrays import Array
from fokkerplanck.runtime.progress import Progress
from fokkerplanck.runtime.ranks import on_rank_0
from fokkerplanck.simulation.agreement import Agreement, Comparison, compare
from fokkerplanck.simulation.ensemble import NUM_TIMES, Simulation
from fokkerplanck.simulation.estimates import Curves, difference_curves, order, risk_curves
from fokkerplanck.simulation.pathwise import CHUNK, NUM_PATHS, SHARES, PathTheory
from fokkerplanck.simulation.published import compare_with_folder
from fokkerplanck.simulation.reference import Reference, Solver
from fokkerplanck.simulation.schemes import SCHEMES
from fokkerplanck.simulation.statistics import Sums
from fokkerplanck.simulation.store import Store, digest
from fokkerplanck.simulation.summary import Outcome, PathResults, path_results
from fokkerplanck.study import Study, StudyError
from fokkerplanck.study.sections import Matrix

#: Version of what the sums mean.
_FORMAT: Final = 1

#: Sections of a study that its paths do not depend on.
_IGNORED: Final = {"accuracy", "solver"}


@dataclass(frozen=True)
class EnsembleOptions:
    """How a study is simulated.

    Raises:
        StudyError: a value is out of range.
    """

    paths: int = 100_000
    steps: int = 128  #: of the horizon; without a cap the fewest that a path takes
    seed: int = 1
    scheme: str = "sra1"  #: ``sra1`` or ``euler``
    sigma: Matrix | None = None  #: Σ, shape (m, m); by default the study's
    exceed: tuple[float, ...] = (0.1, 0.03, 0.01, 0.003, 0.001)  #: ε of P(sup|θ − θ^N| > ε)
    compare: bool = True  #: whether to solve for the densities, too
    tables: bool = True  #: whether drift tables may be used

    def __post_init__(self) -> None:
        """Check the values."""
        if self.paths < 2:
            raise StudyError(f"paths must be at least 2, got {self.paths}")
        if self.steps < 2 * NUM_TIMES or self.steps % (2 * NUM_TIMES):
            raise StudyError(f"steps must be a multiple of {2 * NUM_TIMES}, got {self.steps}")
        if not 0 <= self.seed < 2**63:
            raise StudyError(f"seed must lie between 0 and 2^63, got {self.seed}")
        if self.scheme not in SCHEMES:
            raise StudyError(f"scheme must be {' or '.join(SCHEMES)}, got {self.scheme!r}")


def simulate(
    study: Study,
    options: EnsembleOptions,
    comm: Any,
    progress: Progress,
    folder: Path,
    resume: bool = False,
    against: Path | None = None,
) -> Outcome:
    """Follow coupled paths of a study, and compare them with its densities. Collective.

    Args:
        study: what is simulated.
        options: how.
        comm: communicator of mpi4py.
        progress: hears of it.
        folder: of the sums; an existing one is emptied first, unless the run resumes.
        resume: whether sums that are there are used.
        against: folder of results of the same study to compare with.

    Raises:
        StudyError: the study has no finite depth, its paths leave the double range, or what is in
            a folder is of another run.
    """
    simulation = _simulation(study, options, comm)
    store = Store(folder, _facts(simulation, options))
    on_rank_0(comm, lambda: store.prepare(resume))
    with progress.stage("tables"):
        times = simulation.ensemble.times
    with progress.stage("paths"):
        sums = simulation.run(options.paths, store, progress)
    with progress.stage("time steps"):
        changes = simulation.companions(options.paths, store, progress)
    with progress.stage("path theory"):
        paths = _theory(simulation, options.paths, store, progress)
    with progress.stage("densities"):
        reference, notes = _densities(simulation, progress) if options.compare else (None, ())
    q = simulation.scheme.weak
    curves = difference_curves(times, sums, changes, q)
    return Outcome(
        study.name,
        study.initial.l2_norm,
        study.horizon,
        simulation.counters,
        sums,
        curves,
        risk_curves(times, sums, changes, q),
        paths,
        reference,
        _compared(simulation, sums, curves, reference, against),
        (*_notes(simulation, sums), *notes),
    )


def _simulation(study: Study, options: EnsembleOptions, comm: Any) -> Simulation:
    """The paths that are asked for."""
    if not any(np.isfinite(study.depths)):
        raise StudyError("[depths] needs at least one value to simulate")
    return Simulation(
        study,
        comm,
        scheme=SCHEMES[options.scheme],
        num_steps=options.steps,
        seed=options.seed,
        exceed=options.exceed,
        sigma=_sigma(study, options),
        tables=options.tables,
    )


def _sigma(study: Study, options: EnsembleOptions) -> Array:
    """Σ, shape (m, m)."""
    m = study.dimension
    if options.sigma is None:
        return study.settings.noise.scale * np.eye(m)
    sigma = np.array(options.sigma, dtype=np.float64)
    if sigma.shape != (m, m) or not np.isfinite(sigma).all():
        raise StudyError(f"sigma must be a finite matrix of shape ({m}, {m}), got {options.sigma}")
    return sigma


def _facts(simulation: Simulation, options: EnsembleOptions) -> dict[str, Any]:
    """What the sums depend on."""
    study, data = simulation.study, simulation.study.data
    return {
        **{name: part for name, part in study.to_dict().items() if name not in _IGNORED},
        "numbers": digest(data.inputs, data.targets, data.weights),
        "steps": options.steps,
        "seed": options.seed,
        "scheme": options.scheme,
        "exceed": options.exceed,
        "sigma": simulation.sigma.tolist(),
        "tables": options.tables,
        "format": _FORMAT,
    }


def _theory(
    simulation: Simulation, num_paths: int, store: Store, progress: Progress
) -> PathResults | None:
    """Limits and bounds of the first paths, where there are tables. Collective."""
    if not simulation.tabulated:  # Hessians by kernels would take longer than all the rest
        return None
    try:
        limit = simulation.factory.limit()
    except RiskError:
        return None
    theory = PathTheory(simulation.ensemble, simulation.depths, limit)
    count = min(num_paths, NUM_PATHS)
    sums = simulation.summed("theory", theory.sums, count, store, progress, CHUNK)
    remainder = sums["remainder"][:, 0] / sums["paths"]
    return path_results(sums, order(simulation.depths, remainder), SHARES)


def _densities(
    simulation: Simulation, progress: Progress
) -> tuple[Reference | None, tuple[str, ...]]:
    """What the solver says, or a note that tells why it says nothing. Collective."""
    ensemble = simulation.ensemble
    solver = Solver(
        simulation.study, simulation.comm, simulation.by_depth, simulation.sigma, ensemble.times
    )
    found = solver.reference(progress)
    return (None, (found,)) if isinstance(found, str) else (found, ())


def _compared(
    simulation: Simulation,
    sums: Sums,
    curves: Curves,
    reference: Reference | None,
    against: Path | None,
) -> Agreement | None:
    """The agreement with the densities, where they are known. Collective."""
    study = simulation.study
    found: list[Comparison] = []
    if reference is not None:
        found += compare(curves, sums, simulation.counters, study.horizon, reference)
    if against is not None:
        found += on_rank_0(
            simulation.comm,
            lambda: compare_with_folder(against, study, curves, simulation.depths),
        )
    return Agreement(tuple(found)) if found else None


def _notes(simulation: Simulation, sums: Sums) -> tuple[str, ...]:
    """How the paths were followed."""
    count = int(sums["paths"])
    mean = float(sums["steps"]) / count
    text = f"{count} paths by {simulation.scheme.name}, {mean:.4g} steps each"
    if simulation.adaptive:
        text += f", {int(sums['most_steps'])} at most"
    return (text,)
