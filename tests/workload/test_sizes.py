"""Size tables: exact by hand on a small one, faithful to their data, strict about bad ones."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim import catalog
from dcsim.errors import CatalogError
from dcsim.workload import sizes
from dcsim.workload.sizes import SizeTable


def distance(sample, other):
    """Kolmogorov-Smirnov distance of two samples."""
    at = np.union1d(sample, other)
    shares = (np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (sample, other))
    return float(np.abs(np.subtract(*shares)).max())


def test_fixed_sizes():
    drawn = sizes.fixed(100, 7, 3)
    assert drawn["input_tokens"].tolist() == [100.0] * 3
    assert drawn["output_tokens"].tolist() == [7.0] * 3


class Uniforms:
    """Hands out given uniform numbers."""

    def __init__(self, *rows):
        self.rows = np.array(rows)

    def random(self, shape):
        assert shape == self.rows.shape
        return self.rows


def test_draw_by_hand():
    table = SizeTable(
        np.array([0, 0.5, 1.0]), np.array([1.0, 11.0, 111.0]),
        np.array([0, 0.8, 1.0]), np.array([[1.0, 9.0, 9.0], [20.0, 20.0, 40.0]]),
    )  # fmt: skip
    drawn = table.draw(4, Uniforms([0.25, 0.4], [0.25, 0.9], [0.75, 0.1], [0.75, 0.85]))
    assert drawn["input_tokens"].tolist() == [6.0, 6.0, 61.0, 61.0]
    assert drawn["output_tokens"].tolist() == [5.0, 9.0, 20.0, 25.0]


def test_a_measured_table_reproduces_marginals_and_dependence():
    random = np.random.default_rng(7)
    tokens_in = np.ceil(random.lognormal(6, 1, 40_000))
    tokens_out = np.ceil(random.exponential(50, 40_000) + 10_000 / (tokens_in + 20))  # falls with the input
    table = sizes.measure(tokens_in, tokens_out)
    drawn = table.draw(200_000, random)
    assert distance(drawn["input_tokens"], tokens_in) < 0.012
    assert distance(drawn["output_tokens"], tokens_out) < 0.012
    for low, high in ((0, 100), (300, 500), (2000, 9000)):
        here, there = ((x > low) & (x <= high) for x in (tokens_in, drawn["input_tokens"]))
        assert drawn["output_tokens"][there].mean() == pytest.approx(tokens_out[here].mean(), rel=0.08)


def test_draws_are_whole_numbers_of_at_least_one_in_the_range_of_the_table():
    table = SizeTable.of(catalog.load().get("azure-llm-conv-2023", "sizes"))
    drawn = table.draw(100_000, np.random.default_rng(1))
    for key, most in (("input_tokens", 14_050), ("output_tokens", 1000)):
        tokens = drawn[key]
        assert (tokens == np.floor(tokens)).all()
        assert tokens.min() >= 1
        assert tokens.max() <= most


def test_draws_do_not_depend_on_how_they_are_cut():
    table = SizeTable.of(catalog.load().get("azure-llm-conv-2023", "sizes"))
    whole = table.draw(1000, np.random.default_rng(1))
    random = np.random.default_rng(1)
    parts = [table.draw(count, random) for count in (1, 299, 700)]
    for key, values in whole.items():
        np.testing.assert_array_equal(np.concatenate([part[key] for part in parts]), values)


NUMBERS = {
    "input_probabilities": [0, 1],
    "input_tokens": [1, 2],
    "output_probabilities": [0, 1],
    "output_tokens": [[1, 2]],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_probabilities": [0.1, 1]}, "input_probabilities must rise from 0 to 1"),
        ({"output_probabilities": [0, 0.5]}, "output_probabilities must rise from 0 to 1"),
        ({"input_tokens": [1, 2, 3]}, "input_tokens has rows"),
        ({"output_tokens": [[1, 2, 3]]}, "output_tokens has rows"),
        ({"output_tokens": [1, 2]}, "output_tokens must be a table"),
        ({"input_tokens": [3, 2]}, "never fall"),
        ({"output_tokens": [[0, 2]]}, "1 or more"),
        ({"input_tokens": None}, "no number 'input_tokens'"),
    ],
)
def test_bad_tables_are_refused(tmp_path, change, message):
    lines = ["my-sizes:", "  kind: sizes", "  title: t", "  numbers:"]
    for key, value in (NUMBERS | change).items():
        if value is not None:
            lines.append(f"    {key}: {{value: {value}, unit: '1', source: s, grade: measured}}")
    (tmp_path / "sizes.yaml").write_text("\n".join(lines))
    entry = catalog.load([tmp_path / "sizes.yaml"]).get("my-sizes", "sizes")
    with pytest.raises(CatalogError, match=message):
        SizeTable.of(entry)


def test_the_longest_request_is_the_longest_that_can_be_drawn():
    table = SizeTable(
        np.array([0.0, 0.5, 1.0]),
        np.array([10.0, 100.0, 200.0]),
        np.array([0.0, 1.0]),
        np.array([[1.0, 500.0], [1.0, 50.5]]),
    )
    assert table.most_tokens == 600  # the first half goes up to 100 and 500 tokens, the second to 200 and 51
    drawn = table.draw(20_000, np.random.default_rng(1))
    assert 590 < (drawn["input_tokens"] + drawn["output_tokens"]).max() <= 600
