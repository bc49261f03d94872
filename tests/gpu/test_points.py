"""Operating points: identities, limits of memory and context, clock and cap, gangs; bad input."""

from __future__ import annotations

from typing import Any

import pytest

from dcsim.catalog import Catalog
from dcsim.errors import PlacementError
from dcsim.gpu import kernels, power
from dcsim.gpu.gang import Gang, Layout
from dcsim.gpu.points import LanguagePoint, Setting, batch_point, language_point
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
    """Of those that the model can be split over: three would hold it."""
    with pytest.raises(PlacementError, match=r"smallest count that fits: 4$"):
        language(known, 300, model="llama-3.1-70b", devices=2)
    assert language(known, 300, model="llama-3.1-70b", devices=4).largest_batch


def test_links_are_part_of_what_several_gpus_spend(known: Catalog) -> None:
    one, four = (kernels.shares(language(known, 8, devices=n).spent, "limit") for n in (1, 4))
    assert "communication" not in one
    assert four["communication"] > 0.05


def test_long_prompts_take_several_iterations(known: Catalog) -> None:
    short, long = (language(known, 2, input_tokens=n).prefill_s for n in (2000, 16_000))
    assert 8 * short < long < 14 * short


def test_prompts_that_fill_every_iteration_are_noted(known: Catalog) -> None:
    assert language(known, 64).notes == ()
    point = language(known, 64, input_tokens=4000, output_tokens=16)
    assert point.notes == (
        "prompts take all that an iteration computes: 8 of 64 requests run at a time, the others wait to be admitted",
    )
    twice = language(known, 100, input_tokens=4000, output_tokens=16)  # they only wait for longer
    assert (twice.tokens_per_s, twice.ttft_s, twice.power_w) == (point.tokens_per_s, point.ttft_s, point.power_w)


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
    full, capped = language(known, 16), language(known, 16, setting=Setting(cap_w=450.0))
    assert capped.device_w == pytest.approx(450.0)
    assert 0.6 < capped.clock < 1.0
    assert 0.9 * full.tokens_per_s < capped.tokens_per_s < full.tokens_per_s
    assert capped.token_j < full.token_j
    assert language(known, 16, setting=Setting(cap_w=1000.0)) == full
    with pytest.raises(PlacementError, match=r"cap is 300 W; this work draws 4\d\d W at the lowest clock, 0.6$"):
        language(known, 16, setting=Setting(cap_w=300.0))


@pytest.mark.parametrize(
    ("model", "gpu", "devices"), [("llama-3.1-8b", "h200-sxm", 1), ("llama-3.1-70b", "h100-sxm", 8)]
)
def test_a_lower_clock_saves_no_more_than_was_measured(known: Catalog, model: str, gpu: str, devices: int) -> None:
    """At most 32 % of the energy of decoding (H200, arXiv 2605.11999); POLCA: at 80 % of the clock 5 to 10 % slower."""
    for batch in (1, 8, 64):
        full, lower, lowest = (
            language(known, batch, model=model, gpu=gpu, devices=devices, setting=Setting(share))
            for share in (1.0, 0.8, 0.6)
        )
        assert full.token_j > lower.token_j > lowest.token_j > (1.0 - 0.32) * full.token_j
        assert lower.tokens_per_s > 0.9 * full.tokens_per_s


def test_prompts_bound_by_compute_are_slowed_by_the_clock(known: Catalog) -> None:
    full, lower = (language(known, 64, input_tokens=4000, output_tokens=10, setting=Setting(s)) for s in (1.0, 0.7))
    assert lower.tokens_per_s == pytest.approx(0.7 * full.tokens_per_s, rel=0.03)


def test_a_lower_clock_and_a_cap_hold_both(known: Catalog) -> None:
    assert language(known, 16, setting=Setting(0.7, 600.0)).clock == 0.7
    assert language(known, 16, setting=Setting(0.99, 450.0)).device_w == pytest.approx(450.0)


def test_a_clock_of_the_options_is_that_of_the_point(known: Catalog) -> None:
    model, gpu = known.get("llama-3.1-8b"), known.get("h100-sxm")
    own = language_point(model, gpu, Serving(clock=0.7), batch=16, input_tokens=300, output_tokens=400)
    assert own == language(known, 16, setting=Setting(0.7))


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
    with pytest.raises(PlacementError, match=r"one t4 holds 14.4 GB; it cannot be split$"):
        batch_point(known.get("flux-1-dev"), known.get("t4"), batch=1)


def test_image_models_reach_their_own_share_of_the_peak(known: Catalog) -> None:
    """The median of the measured models without a factor; power counts what large matrix products reach."""
    h100 = known.get("h100-sxm")
    flux, sana = (batch_point(known.get(name), h100, batch=4) for name in ("flux-1-dev", "sana-1.5-1.6b"))
    assert sana.reached.flop_per_s == pytest.approx(0.26 * 989e12)
    assert flux.reached.flop_per_s == pytest.approx(1.318 * 0.26 * 989e12)
    compute = 4 * flux.model["flop_per_sample"] / flux.latency_s / (0.70 * 989e12)
    reading = sum(kernel.memory_s for kernel in flux.spent) / flux.latency_s
    assert flux.device_w == pytest.approx(power.busy(h100)(compute, reading))
    assert 0.9 < flux.device_w / 686 < 1.0  # 690 W were measured


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
        known.get("toy-talker"), known.get("toy-gpu"), devices=4, step_samples=10_000, gang=gang, layout=Layout()
    )
    compute = 6 * 100e6 * 10_000 / (4 * 0.5e12)
    exposed = 0.5 * 2 * 3 / 4 * 200e6 / 10e9
    assert point.step_s == pytest.approx(compute + exposed)
    assert point.utilisation == pytest.approx(0.5 * compute / (compute + exposed))
    assert point.samples_per_s == pytest.approx(10_000 / (compute + exposed))
    assert point.run_s is None


def test_gpus_that_share_a_copy_pass_on_less(known: Catalog) -> None:
    gang = Gang(8, compute_share=0.5, link_bytes_per_s=1e6)  # so slow that activations in a node do not count
    model, gpu = known.get("toy-talker"), known.get("toy-gpu")
    steps = [
        training_point(model, gpu, devices=8, step_samples=1000, gang=gang, layout=Layout(tensor)).step_s
        for tensor in (1, 2, 4)
    ]
    assert steps == pytest.approx([2 * (8 - n) / 8 * 200e6 / n / 1e6 for n in (1, 2, 4)], rel=1e-2)


def test_stages_wait_for_each_other(known: Catalog) -> None:
    gang = Gang(8, compute_share=0.5)
    model, gpu = known.get("toy-talker"), known.get("toy-gpu")
    point = training_point(
        model, gpu, devices=8, step_samples=16_000, gang=gang, layout=Layout(pipeline=4, micro_batch=1000)
    )
    assert point.layout == Layout(pipeline=4, micro_batch=1000)
    assert kernels.shares(point.spent, "name")["stages"] == pytest.approx(3 / (8 + 3))
    assert point.utilisation == pytest.approx(0.5 * 8 / 11)


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
    # three passes of: 1,000 x 2 MFLOP on 16 GPUs, 5 launches and a host call, 1,000 x 50 kB of rows, gathered at
    # 25 GB/s, which cross at 1 GB/s after a latency of 5 us at ten times the rate; then the dense gradients
    own = 50e6 / 16
    once = 2e9 / 16 / 0.5e12 + 150e-6 + own / 25e9 + 10 * (5e-6 + own * 15 / 16 / 10e9)
    assert point.step_s == pytest.approx(3 * once + 2 * 15 / 16 * 2e6 / 1e9)
    assert point.notes == ("gathers from tables, and passing the rows on, are counted as in three forward passes",)


def test_training_draws_the_power_of_waiting_while_it_waits(known: Catalog) -> None:
    model, gpu = known.get("toy-talker"), known.get("toy-gpu")
    gang = Gang(8, compute_share=0.5, overlap=0.0, link_bytes_per_s=1e9, step_spread=0.1)
    point = training_point(model, gpu, devices=8, step_samples=100_000, gang=gang, layout=Layout())
    busy = kernels.shares(point.spent, "name")["linear"]
    assert 0.5 < busy < 0.9
    assert point.device_w == pytest.approx(busy * 90 + (1 - busy) * 20)
    lost = training_point(
        model,
        gpu,
        devices=8,
        step_samples=100_000,
        gang=Gang(8, compute_share=0.5, checkpoint_s=10.0, failure_s=1e5, restart_s=600.0),
        layout=Layout(),
    )
    assert lost.useful < 0.95
    assert lost.device_w == pytest.approx(lost.useful * 90 + (1 - lost.useful) * 20)
    slower = training_point(
        model, gpu, devices=8, step_samples=1000, gang=Gang(8, compute_share=0.5), layout=Layout(), setting=Setting(0.5)
    )
    assert slower.device_w == pytest.approx(20 + 70 / 8)


def test_training_that_cannot_be(known: Catalog) -> None:
    model, gpu, gang = known.get("toy-talker"), known.get("toy-gpu"), Gang(8, compute_share=0.5)
    with pytest.raises(PlacementError, match="batch: found 0, want at least 1"):
        training_point(model, gpu, devices=8, step_samples=0, gang=gang)
    with pytest.raises(PlacementError, match="8 GPUs are no whole number of copies of 3 x 1 = 3"):
        training_point(model, gpu, devices=8, step_samples=10, gang=gang, layout=Layout(tensor=3))
    with pytest.raises(PlacementError, match=r"smallest count that fits: 2$"):
        training_point(model, gpu, devices=1, samples=1e6)
