import numpy as np
import pytest

from fokkerplanck.runtime.ranks import (
    ElsewhereError,
    Exchange,
    agreed,
    first_problem,
    largest,
    on_rank_0,
    smallest,
    total,
)


@pytest.mark.parametrize("crowded", [False, True])
def test_rows_are_dealt_evenly_and_come_back_in_order(comm, crowded):
    count = 0 if crowded and comm.rank else 5 + comm.rank
    exchange = Exchange.round_robin(count, comm)
    mine = np.column_stack([np.arange(count), np.full(count, comm.rank)]).astype(np.float64)
    received = exchange.send(mine)
    shares = comm.allgather(len(received))
    assert max(shares) - min(shares) <= 1
    np.testing.assert_array_equal(exchange.send_back(2.0 * received), 2.0 * mine)


def test_numbers_of_all_ranks(comm):
    own = np.empty(0) if comm.rank else np.array([3.0, -2.0])
    assert (largest(comm, own), smallest(comm, own)) == (3.0, -2.0)
    assert largest(comm, comm.rank) == comm.size - 1
    assert total(comm, comm.rank + 1.0) == comm.size * (comm.size + 1) / 2
    assert agreed(comm, True)
    assert not agreed(comm, comm.rank < comm.size - 1)


def test_all_ranks_learn_the_first_problem(comm):
    last = comm.rank == comm.size - 1
    assert first_problem(comm, "out of range" if last else None) == "out of range"
    assert first_problem(comm, None) is None


def test_all_ranks_get_what_rank_0_gets(comm):
    assert on_rank_0(comm, lambda: f"from {comm.rank}") == "from 0"


def test_no_rank_goes_on_where_rank_0_fails(comm):
    def refuse():
        raise ValueError("refused")

    with pytest.raises(ElsewhereError if comm.rank else ValueError, match="refused"):
        on_rank_0(comm, refuse)
