"""Input encodings against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dcsim import seeds
from dcsim.chip import encoding
from dcsim.chip.encoding import InputError
from dcsim.errors import DcsimError


def test_rate_fires_with_the_probability_of_the_intensity():
    spikes = encoding.rate([[0.0, 0.2, 1.0]], 20_000, seeds.generator(3, 0, "rate"))
    assert spikes.shape == (1, 20_000, 3)
    mean = spikes.mean(axis=(0, 1))
    assert mean[0] == 0.0
    assert mean[2] == 1.0
    assert mean[1] == pytest.approx(0.2, abs=5 * (0.2 * 0.8 / 20_000) ** 0.5)
    per_100 = spikes[0, :, 1].reshape(-1, 100).sum(axis=1)
    assert per_100.var() == pytest.approx(100 * 0.2 * 0.8, rel=0.35)  # binomial: p (1 - p) T


def test_rate_is_the_same_for_the_same_stream():
    first, second = (encoding.rate([0.5] * 9, 7, seeds.generator(1, 0, "x")) for _ in range(2))
    assert (first == second).all()


def test_latency_fires_once_and_the_stronger_the_earlier():
    # T = 5: step round((1 - x) 4) is 0 for 1, 1 for 0.75, 4 for 0.01; 0.625 gives 1.5, which rounds to the even 2
    spikes = encoding.latency([1.0, 0.75, 0.625, 0.01, 0.0], 5)
    assert spikes.shape == (1, 5, 5)
    assert np.argmax(spikes[0], axis=0)[:4].tolist() == [0, 1, 2, 4]
    assert spikes.sum(axis=1).tolist() == [[1, 1, 1, 1, 0]]


def test_direct_holds_the_values_in_every_step():
    current = encoding.direct([[0.5, -2.0], [3.0, 0.0]], 3)
    assert current.shape == (2, 3, 2)
    assert current[0].tolist() == [[0.5, -2.0]] * 3
    assert current[1].tolist() == [[3.0, 0.0]] * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: encoding.latency([1.5], 5), "intensity: found 1.5, want numbers from 0 to 1"),
        (lambda: encoding.latency([-0.5], 5), "found -0.5"),
        (lambda: encoding.rate([np.nan], 5, np.random.default_rng(1)), "found nan"),
        (lambda: encoding.direct([np.inf], 5), "values: found inf, want finite numbers"),
        (lambda: encoding.direct([0.5], 0), "found 0 steps"),
        (lambda: encoding.direct([0.5], 2.5), "found 2.5 steps"),
        (lambda: encoding.direct([], 3), r"found shape \(0,\)"),
        (lambda: encoding.direct(np.zeros((2, 2, 2)), 3), r"found shape \(2, 2, 2\)"),
        (lambda: encoding.direct("many", 3), "found no table of numbers"),
        (lambda: encoding.rate(np.zeros(2**11), 2**20, np.random.default_rng(1)), "want at most 1,073,741,824 bins"),
    ],
)
def test_what_cannot_be_encoded_is_refused_in_one_line(call, message):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert isinstance(caught.value, DcsimError)
    assert "\n" not in str(caught.value)
