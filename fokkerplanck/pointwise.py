"""Compiled evaluation of tensor-product polynomials, each at a point in a cell of its own."""

import numba
import numpy as np


@numba.njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _combine(values, cells, first, second, third, out):
    for p in range(len(cells)):
        for r in range(out.shape[1]):
            tensor = values[cells[p], r]
            total = 0.0
            for i in range(first.shape[1]):
                for j in range(second.shape[1]):
                    inner = 0.0
                    for k in range(third.shape[1]):
                        inner += third[p, k] * tensor[i, j, k]
                    total += first[p, i] * second[p, j] * inner
            out[p, r] = total


def evaluate(values, cells, tables):
    """Sums of values of cells, weighted by a product of one table per axis.

    Args:
        values: shape (C, r, n_1, ..., n_m), C-contiguous.
        cells: cell of each point, shape (P,).
        tables: m arrays of basis functions at the points, shape (P, n_k).

    Returns:
        Shape (P, r).
    """
    count, missing = values.shape[1], 3 - len(tables)
    ones = [np.ones((len(cells), 1))] * missing
    out = np.zeros((len(cells), count))
    # Missing axes come first, so that the innermost loop is over a long one.
    shape = (len(values), count, *[1] * missing, *values.shape[2:])
    _combine(values.reshape(shape), cells, *ones, *tables, out)
    return out
