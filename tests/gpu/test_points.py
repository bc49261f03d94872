"""Operating points: identities, limits of memory and context, clock and cap, gangs; bad input."""

from __future__ import annotations

from typing import Any

import pytest

from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu import kernels
from dcsim.gpu.points import LanguagePoint, Setting, batch_point, language_point
from dcsim.gpu.training import Gang
from dcsim.gpu.training_points import training_point
from dcsim.scenario.hardware import Serving


def language(known: Catalog, batch: int, *, gpu: str = "h100-sxm", devices: int = 1, **options: Any) -> LanguagePoint:
    asked = {"input_tokens": 300, "output_tokens": 400} | options
    model = asked.pop("model", "llama-3.1-8b")
    return language_point(known.get(model), known.get(gpu), Serving(devices=devices), batch=batch, **asked)


def test_energy_per_token_is_power_over_throughput(known: Catalog) -> None:
    for batch in (1, 16, 256):
        point = language(known, batch)
        assert point.token_j == point.power_w / point.tokens_per_s
        assert point.tokens_per_s == batch / point.step_s


def test_a_request_alone_waits_for_nobody(known: Catalog) -> None:
    point = language(known, 1)
    assert point.ttft_s == point.prefill_s
    assert point.ttft_s > point.tpot_s
    assert language(known, 128).ttft_s > language(known, 128).prefill_s


def test_requests_in_flight_are_those_of_littles_law(known: Catalog) -> None:
    """Requests per second times the time of one is the batch, but for the steps in which prompts begin."""
    for batch in (1, 8, 64, 256):
        point = language(known, batch)
        assert point.tokens_per_s / point.output_tokens * point.latency_s == pytest.approx(batch, rel=0.03)


def test_the_largest_batch_fits_and_one_more_does_not(known: Catalog) -> None:
    largest = language(known, 1).largest_batch
    assert largest is not None
    point = language(known, largest)
    assert point.request_bytes * largest <= point.cache_bytes < point.request_bytes * (largest + 1)
    with pytest.raises(PlacementError, match=f"largest batch that fits: {largest}; smallest count that fits: 2$"):
        language(known, largest + 1)


def test_the_smallest_count_that_is_named_fits(known: Catalog) -> None:
    with pytest.raises(PlacementError, match=r"smallest count that fits: 3$"):
        language(known, 300, model="llama-3.1-70b", devices=2)
    assert language(known, 300, model="llama-3.1-70b", devices=3).largest_batch


def test_links_are_part_of_what_several_gpus_spend(known: Catalog) -> None:
    one, four = (kernels.shares(language(known, 8, devices=n).spent, "limit") for n in (1, 4))
    assert "communication" not in one
    assert four["communication"] > 0.05


def test_long_prompts_take_several_iterations(known: Catalog) -> None:
    short, long = (language(known, 2, input_tokens=n).prefill_s for n in (2000, 16_000))
    assert 8 * short < long < 14 * short


def test_prompts_that_fill_every_iteration_are_noted(known: Catalog) -> None:
    assert language(known, 64).notes == ()
    (note,) = language(known, 64, input_tokens=4000, output_tokens=16).notes
    assert note.startswith("prompts need 16,000 tokens of every iteration")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch: found 0, want at least 1"),
        ({"input_tokens": 0}, "input tokens: found 0, want at least 1"),
        ({"output_tokens": 0}, "output tokens: found 0, want at least 1"),
        ({"input_tokens": 131_000, "output_tokens": 73}, "found 131,073 input and output tokens, its context allows"),
        ({"gpu": "rtx-4090", "input_tokens": 100_000}, "that is less than one request; smallest count that fits: 2"),
        ({"model": "llama-3.1-70b"}, "smallest count that fits: 2$"),
    ],
)
def test_loads_that_cannot_be(known: Catalog, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PlacementError, match=message):
        language(known, **({"batch": 1} | options))


# ---------------------------------------------------------------- clock and cap


def test_a_cap_is_kept_and_saves_energy_where_memory_binds(known: Catalog) -> None:
    full, capped = language(known, 16), language(known, 16, setting=Setting(cap_w=400.0))
    assert capped.device_w == pytest.approx(400.0)
    assert capped.clock < 1.0
    assert 0.9 * full.tokens_per_s < capped.tokens_per_s < full.tokens_per_s
    assert capped.token_j < full.token_j
    assert language(known, 16, setting=Setting(cap_w=1000.0)) == full


def test_a_lower_clock_and_a_cap_hold_both(known: Catalog) -> None:
    assert language(known, 16, setting=Setting(0.5, 600.0)).clock == 0.5
    assert language(known, 16, setting=Setting(0.99, 300.0)).device_w == pytest.approx(300.0)


# ---------------------------------------------------------------- by the batch


def test_batch_by_hand(known: Catalog) -> None:
    point = batch_point(known.get("toy-image"), known.get("toy-gpu"), batch=8)
    assert point.latency_s == pytest.approx(1.8e-3)
    assert point.samples_per_s == pytest.approx(8 / 1.8e-3)
    assert point.device_w == pytest.approx(20 + 80 * (1.6 / 1.8) ** 2)
    assert point.sample_j == pytest.approx(point.power_w * 1.8e-3 / 8)
    # (0.9 GB - 2 MB) / (4 MB / 10 layers)
    assert point.largest_batch == 2245


def test_spots_lie_on_what_kernels_reach_and_the_whole_below(known: Catalog) -> None:
    linear, whole = batch_point(known.get("toy-image"), known.get("toy-gpu"), batch=8).spots()
    assert (linear.name, whole.name) == ("linear", "whole")
    assert linear.flop_per_s == pytest.approx(0.5e12)
    assert linear.intensity == pytest.approx(8 * 100e6 / 34e6)
    assert whole.flop_per_s == pytest.approx(8 * 100e6 / 1.8e-3)


def test_batches_that_cannot_be(known: Catalog) -> None:
    image, gpu = known.get("toy-image"), known.get("toy-gpu")
    with pytest.raises(PlacementError, match="batch: found 0, want at least 1"):
        batch_point(image, gpu, batch=0)
    with pytest.raises(PlacementError, match=r"largest batch that fits: 2,245$"):
        batch_point(image, gpu, batch=2246)
    with pytest.raises(PlacementError, match="cannot be split over 2 GPUs"):
        batch_point(image, gpu, batch=1, devices=2)
    with pytest.raises(PlacementError, match=r"smallest count that fits: 2$"):
        batch_point(known.get("toy-ranker"), gpu, batch=1)
    with pytest.raises(PlacementError, match=r"a t4 holds 14.4 GB; it cannot be split$"):
        batch_point(known.get("flux-1-dev"), known.get("t4"), batch=1)


# ---------------------------------------------------------------- training


def test_training_at_a_known_utilisation(known: Catalog) -> None:
    point = training_point(known.get("gpt-3-175b"), known.get("v100-sxm2-32"), devices=10_000, samples=300e9)
    assert point.run_s is not None
    assert point.run_s / 86400 == pytest.approx(14.8, rel=0.02)
    assert point.sample_j == point.power_w / point.samples_per_s
    assert point.spent == ()


def test_steps_by_hand(known: Catalog) -> None:
    gang = Gang(4, compute_share=0.5, overlap=0.5, link_bytes_per_s=10e9)
    point = training_point(
        known.get("toy-talker"), known.get("toy-gpu"), devices=4, step_samples=10_000, gang=gang, model_parallel=1
    )
    compute = 6 * 100e6 * 10_000 / (4 * 0.5e12)
    exposed = 0.5 * 2 * 3 / 4 * 200e6 / 10e9
    assert point.step_s == pytest.approx(compute + exposed)
    assert point.utilisation == pytest.approx(0.5 * compute / (compute + exposed))
    assert point.samples_per_s == pytest.approx(10_000 / (compute + exposed))
    assert point.run_s is None


def test_gpus_that_share_a_copy_pass_on_less(known: Catalog) -> None:
    gang = Gang(8, compute_share=0.5, link_bytes_per_s=1e9)
    model, gpu = known.get("toy-talker"), known.get("toy-gpu")
    steps = [
        training_point(model, gpu, devices=8, step_samples=1000, gang=gang, model_parallel=n).step_s for n in (1, 2, 4)
    ]
    compute = 6 * 100e6 * 1000 / (8 * 0.5e12)
    exposed = [step - compute for step in steps if step is not None]
    assert exposed == pytest.approx([exposed[0], exposed[0] / 2, exposed[0] / 4])


def test_checkpoints_and_failures_cost_time(known: Catalog) -> None:
    gang = Gang(8, compute_share=0.5, checkpoint_s=10.0, failure_s=1e6, restart_s=100.0)
    point = training_point(known.get("toy-talker"), known.get("toy-gpu"), devices=8, step_samples=1000, gang=gang)
    assert point.checkpoint_interval_s is not None
    assert 0.9 < point.useful < 1.0
    assert kernels.shares(point.spent, "name")["checkpoints"] == pytest.approx(1.0 - point.useful)


def test_tables_are_not_exchanged(known: Catalog) -> None:
    point = training_point(
        known.get("toy-ranker"),
        known.get("toy-gpu"),
        devices=16,
        step_samples=1000,
        gang=Gang(16, compute_share=0.5, link_bytes_per_s=1e9),
    )
    assert point.step_s == pytest.approx(3 * 2e6 * 1000 / (16 * 0.5e12) + 2 * 15 / 16 * 2e6 / 1e9)
    assert point.notes == ("gathers from tables, and passing the rows on, are not in the step",)


def test_training_that_cannot_be(known: Catalog) -> None:
    model, gpu, gang = known.get("toy-talker"), known.get("toy-gpu"), Gang(8, compute_share=0.5)
    with pytest.raises(PlacementError, match="batch: found 0, want at least 1"):
        training_point(model, gpu, devices=8, step_samples=0, gang=gang)
    for copies in (0, 9):
        with pytest.raises(PlacementError, match=f"model parallel: found {copies}, want 1 to the count of GPUs, 8"):
            training_point(model, gpu, devices=8, step_samples=10, gang=gang, model_parallel=copies)
    with pytest.raises(PlacementError, match=r"smallest count that fits: 2$"):
        training_point(model, gpu, devices=1, samples=1e6)
