"""What all tests share: one communicator, one temporary folder, and no test that hangs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fokkerplanck  # noqa: F401 - orders the loading of compiled libraries

from mpi4py import MPI  # isort: skip


@pytest.fixture
def comm() -> MPI.Comm:
    """All processes."""
    return MPI.COMM_WORLD


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A temporary folder, the same on all ranks."""
    comm = MPI.COMM_WORLD
    name = "".join(c if c.isalnum() else "_" for c in request.node.name)[:30]
    path = tmp_path_factory.mktemp(name) if comm.rank == 0 else None
    return comm.bcast(path)


@pytest.fixture(autouse=True)
def meet() -> Iterator[None]:
    """Let the ranks meet after each test, so that none is ahead of a test that still runs."""
    yield
    MPI.COMM_WORLD.barrier()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let rank 0 alone report."""
    if MPI.COMM_WORLD.rank:
        config.pluginmanager.unregister(name="terminalreporter")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """End the run at a failure under MPI: the other ranks may wait for this one for ever."""
    if report.failed and MPI.COMM_WORLD.size > 1:
        rank = MPI.COMM_WORLD.rank
        print(f"\nrank {rank}: {report.nodeid}\n{report.longreprtext}", file=sys.stderr, flush=True)
        MPI.COMM_WORLD.Abort(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out under MPI what needs one process."""
    if MPI.COMM_WORLD.size > 1:
        skip = pytest.mark.skip(reason="needs one process")
        for item in items:
            if item.get_closest_marker("serial"):
                item.add_marker(skip)
