"""Compiled evaluation of tensor-product polynomials, each at a point in a cell of its own."""

import numpy as np
from numba import njit

from fokkerplanck.runtime.compiled import SUMMED


@njit(**SUMMED)
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


@njit(**SUMMED)
def _combine_with_slopes(values, cells, first, second, third, out):
    for p in range(len(cells)):
        for r in range(out.shape[2]):
            tensor = values[cells[p], r]
            value = along_1 = along_2 = along_3 = 0.0
            for i in range(first.shape[2]):
                row = row_2 = row_3 = 0.0
                for j in range(second.shape[2]):
                    inner = slope = 0.0
                    for k in range(third.shape[2]):
                        inner += third[0, p, k] * tensor[i, j, k]
                        slope += third[1, p, k] * tensor[i, j, k]
                    row += second[0, p, j] * inner
                    row_2 += second[1, p, j] * inner
                    row_3 += second[0, p, j] * slope
                value += first[0, p, i] * row
                along_1 += first[1, p, i] * row
                along_2 += first[0, p, i] * row_2
                along_3 += first[0, p, i] * row_3
            out[0, p, r], out[1, p, r] = value, along_1
            out[2, p, r], out[3, p, r] = along_2, along_3


def evaluate(values, cells, tables):
    """Sums of values of cells, weighted by a product of one table per axis.

    Args:
        values: shape (C, r, n_1, ..., n_m), C-contiguous.
        cells: cell of each point, shape (P,).
        tables: m arrays of basis functions at the points, shape (P, n_k).

    Returns:
        Shape (P, r).
    """
    values, missing = _spatial(values)
    ones = [np.ones((len(cells), 1))] * missing
    out = np.zeros((len(cells), values.shape[1]))
    _combine(values, cells, *ones, *tables, out)
    return out


def evaluate_with_slopes(values, cells, tables):
    """The same and its derivatives, at little more cost.

    Args:
        values: as for `evaluate`.
        cells: cell of each point, shape (P,).
        tables: m arrays of basis functions and their derivatives, shape (2, P, n_k).

    Returns:
        The sums, shape (P, r), and their derivatives along the axes, shape (P, r, m).
    """
    values, missing = _spatial(values)
    ones = [np.ones((2, len(cells), 1))] * missing
    out = np.zeros((4, len(cells), values.shape[1]))
    _combine_with_slopes(values, cells, *ones, *tables, out)
    return out[0], np.stack(out[1 + missing :], axis=2)


def _spatial(values):
    """Values with three axes, and how many were missing."""
    missing = 5 - values.ndim
    # Missing axes come first, so that the innermost loop is over a long one.
    return values.reshape(*values.shape[:2], *[1] * missing, *values.shape[2:]), missing
