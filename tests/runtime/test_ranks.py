import numpy as np
import pytest

from fokkerplanck.runtime.ranks import Exchange


@pytest.mark.parametrize("crowded", [False, True])
def test_rows_are_dealt_evenly_and_come_back_in_order(comm, crowded):
    count = 0 if crowded and comm.rank else 5 + comm.rank
    route = Exchange.round_robin(count, comm)
    mine = np.column_stack([np.arange(count), np.full(count, comm.rank)]).astype(np.float64)
    received = route.send(mine)
    shares = comm.allgather(len(received))
    assert max(shares) - min(shares) <= 1
    np.testing.assert_array_equal(route.send_back(2.0 * received), 2.0 * mine)
