"""Sizes of language-model requests: fixed, or drawn from a joint quantile table of input and output tokens.

Lengths of real requests fit no textbook distribution (a lognormal misses the Azure conversation trace by a
Kolmogorov-Smirnov distance of 0.16 to 0.18), and output depends on input in a way that a correlation does not
show. So a table holds quantiles of the input and, for equally likely bins of the input, quantiles of the
output in that bin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dcsim.catalog import Entry
from dcsim.errors import CatalogError
from dcsim.workload.block import FloatArray
from dcsim.workload.laws import Law

_INPUT_PROBABILITIES = (*(k / 64 for k in range(64)), 0.99, 0.995, 0.999, 1.0)
_OUTPUT_PROBABILITIES = (0, 0.01, *(k / 20 for k in range(1, 20)), 0.98, 0.99, 1.0)


def fixed(input_tokens: int, output_tokens: int, count: int) -> dict[str, FloatArray]:
    """`count` requests of one size."""
    return {
        "input_tokens": np.full(count, float(input_tokens)),
        "output_tokens": np.full(count, float(output_tokens)),
    }


def whole(tokens: FloatArray) -> FloatArray:
    """Numbers of tokens: whole and at least 1."""
    return np.maximum(np.ceil(tokens), 1.0)


@dataclass(frozen=True)
class Correlated:
    """Input and output of two laws, tied by a Gaussian copula (Nelsen, An Introduction to Copulas, 2006).

    Its Pearson correlation is 2 sin(pi r / 6) for Spearman's rank correlation r (Kruskal 1958).
    """

    input_tokens: Law
    output_tokens: Law
    rank_correlation: float

    def draw(self, generator: np.random.Generator, count: int) -> dict[str, FloatArray]:
        """Columns input_tokens and output_tokens of `count` requests; two normal numbers per request."""
        from scipy.special import ndtr

        pearson = 2.0 * np.sin(np.pi * self.rank_correlation / 6.0)
        first, other = generator.standard_normal((count, 2)).T
        second = pearson * first + np.sqrt(max(0.0, 1.0 - pearson**2)) * other
        return {
            "input_tokens": whole(self.input_tokens.quantile(ndtr(first))),
            "output_tokens": whole(self.output_tokens.quantile(ndtr(second))),
        }


@dataclass(frozen=True)
class SizeTable:
    """Joint distribution of (input, output) tokens by quantiles, linear between them."""

    input_probabilities: FloatArray
    """rising from 0 to 1, shape (m,)"""
    input_tokens: FloatArray
    """quantiles of the input, shape (m,)"""
    output_probabilities: FloatArray
    """rising from 0 to 1, shape (n,)"""
    output_tokens: FloatArray
    """quantiles of the output in each of `bins` equally likely bins of the input, shape (bins, n)"""

    @staticmethod
    def of(entry: Entry) -> SizeTable:
        """Table of a catalog entry of kind `sizes`; CatalogError when its quantiles are not sound."""
        table = SizeTable(
            entry.array("input_probabilities"),
            entry.array("input_tokens"),
            entry.array("output_probabilities"),
            entry.array("output_tokens"),
        )
        if table.output_tokens.ndim != 2:
            raise CatalogError(f"sizes '{entry.name}': output_tokens must be a table with a row per bin of the input")
        for what, grid, tokens in (
            ("input", table.input_probabilities, table.input_tokens[None, ...]),
            ("output", table.output_probabilities, table.output_tokens),
        ):
            _check(f"sizes '{entry.name}': {what}", grid, tokens)
        return table

    @property
    def most_tokens(self) -> int:
        """Upper end of input and output together."""
        bins = np.arange(1, len(self.output_tokens) + 1) / len(self.output_tokens)
        longest_input = np.interp(bins, self.input_probabilities, self.input_tokens)
        return int((np.ceil(longest_input) + np.ceil(self.output_tokens[:, -1])).max())

    def draw(self, count: int, generator: np.random.Generator) -> dict[str, FloatArray]:
        """Columns input_tokens and output_tokens of `count` requests, whole numbers >= 1; two uniforms per
        request.
        """
        first, second = generator.random((count, 2)).T
        tokens_in = np.interp(first, self.input_probabilities, self.input_tokens)
        bins = len(self.output_tokens)
        row = np.minimum((first * bins).astype(np.intp), bins - 1)
        grid = self.output_probabilities
        k = np.clip(np.searchsorted(grid, second, side="right") - 1, 0, len(grid) - 2)
        low, high = self.output_tokens[row, k], self.output_tokens[row, k + 1]
        tokens_out = low + (high - low) * (second - grid[k]) / (grid[k + 1] - grid[k])
        return {"input_tokens": np.ceil(tokens_in), "output_tokens": np.ceil(tokens_out)}


def measure(input_tokens: npt.ArrayLike, output_tokens: npt.ArrayLike, bins: int = 16) -> SizeTable:
    """Size table of a trace of requests, shapes (jobs,); quantiles are values of the trace (inverse of its
    CDF).
    """
    tokens_in, tokens_out = (
        np.asarray(input_tokens, dtype=np.float64),
        np.asarray(output_tokens, dtype=np.float64),
    )
    grid_in, grid_out = np.array(_INPUT_PROBABILITIES), np.array(_OUTPUT_PROBABILITIES)
    by_input = np.array_split(tokens_out[np.argsort(tokens_in, kind="stable")], bins)
    rows = [np.quantile(part, grid_out, method="inverted_cdf") for part in by_input]
    return SizeTable(grid_in, np.quantile(tokens_in, grid_in, method="inverted_cdf"), grid_out, np.stack(rows))


def _check(where: str, grid: FloatArray, tokens: FloatArray) -> None:
    """CatalogError unless each row of `tokens`, shape (rows, n), holds quantiles at `grid`, shape (n,)."""
    if grid.ndim != 1 or len(grid) < 2 or grid[0] != 0 or grid[-1] != 1 or (np.diff(grid) <= 0).any():
        raise CatalogError(f"{where}_probabilities must rise from 0 to 1")
    if tokens.shape[1:] != grid.shape:
        raise CatalogError(f"{where}_tokens has rows of shape {tokens.shape[1:]}, want {grid.shape}")
    if (np.diff(tokens) < 0).any() or tokens.min() < 1:
        raise CatalogError(f"{where}_tokens must be 1 or more and never fall along a row")
