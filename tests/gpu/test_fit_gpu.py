"""The fitting script computes what the product computes, and its numbers are those of the catalog."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from dcsim.catalog import Catalog
from dcsim.gpu import power as of_product
from dcsim.gpu.roofline import in_format
from dcsim.gpu.steps import step_cost
from dcsim.service import FloatArray
from dcsim.validation.splitwise import stack as old_stack

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import fit_gpu
from gpu_fits import decoding, images, power, products, stack, training
from gpu_fits.rows import HELD_OUT, read_rows

pytestmark = pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set: nothing to fit to")


@pytest.fixture(scope="module")
def data() -> Path:
    return Path(os.environ["DCSIM_DATA"]) / "data" / "gpu"


def _catalog_values(known: Catalog) -> dict[str, float]:
    """The script's parameters, from the catalog."""
    found = {"prompt lm-arena-chat": 303.0, "prompt gpqa": 232.0, "prompt sourcegraph-fim": 1640.0, "short prompt": 0.3}
    for name in ("h100-sxm", "b200-sxm"):
        gpu = known.get(name)
        found[f"sample_s {name}"] = gpu["sample_s"]
        for precision in ("bf16", "fp8"):
            for key in ("memory_efficiency", "compute_efficiency", "layer_s", "expert_layer_s"):
                found[f"{key} {name} {precision}"] = in_format(gpu, key, precision)
    shared = {"step_s": "step_s", "hop_s": "link_latency_s", "expert_efficiency": "expert_memory_efficiency"}
    shared |= {key: key for key in ("eager_layer_s", "eager_expert_layer_s")}
    for parameter, key in shared.items():
        found[parameter] = known.get("h100-sxm")[key]
        assert known.get("b200-sxm")[key] == found[parameter]
    return found | {"routing_exponent": known.get("qwen3-30b-a3b")["routing_exponent"]}


def _powers(known: Catalog, gpu: str) -> FloatArray:
    return np.array([known.get(gpu)[f"power_{part}_w"] for part in ("compute", "memory")])


def test_the_script_and_the_engine_take_the_same_steps(data: Path, known: Catalog) -> None:
    rows, values = read_rows(data / "mlenergy_v3.csv.gz", known), _catalog_values(known)
    assert len(rows) == 443
    for prompt in (0.0, 700.0):
        steps = decoding.step(rows, values, prompt)
        for k in range(0, len(rows), 7):
            model, devices, batch = known.get(str(rows.network[k])), int(rows["devices"][k]), rows["batch"][k]
            cost = step_cost(
                model,
                known.get(str(rows.gpu[k])),
                str(rows.precision[k]),
                devices=devices,
                expert_parallel="experts" in model and devices > 1,
                max_sequences=int(rows["cap"][k]),
                sampled=True,
            )
            cached = batch * (values[f"prompt {rows.task[k]}"] + 0.5 * rows["output"][k])
            linear = cost.linear(batch + prompt, batch, batch)
            assert linear.seconds + cached * cost.context_s == pytest.approx(steps.seconds[k])
            assert linear.compute_s + cached * cost.attention_s == pytest.approx(steps.compute_s[k])
            assert linear.memory_s + cached * cost.cache_s == pytest.approx(steps.memory_s[k])


@pytest.mark.slow
def test_catalog_numbers_are_those_of_the_fit(data: Path, known: Catalog) -> None:
    rows = read_rows(data / "mlenergy_v3.csv.gz", known)
    usable = ~rows.stalled & ~np.isin(rows.network, sorted(HELD_OUT))
    fitted, values = decoding.named(decoding.fit_times(rows.where(usable))), _catalog_values(known)
    for name, value in values.items():
        assert fitted[name] == pytest.approx(value, rel=0.03), name
    for gpu, powers in power.fit_served(rows.where(usable), fitted, known).items():
        assert powers == pytest.approx(_powers(known, gpu), rel=0.03)


def test_models_held_out_calibrate_nothing(data: Path, known: Catalog) -> None:
    rows = read_rows(data / "mlenergy_v3.csv.gz", known)
    for name in set(rows.network.tolist()):
        assert bool(known.get(name).facts.get("calibrates")) is (name not in HELD_OUT), name


def test_models_not_fitted_are_within_the_tolerance(data: Path, known: Catalog) -> None:
    """Llama 3.1 8B and 405B, Qwen3 32B on H100: every row without stalls."""
    rows, values = read_rows(data / "mlenergy_v3.csv.gz", known), _catalog_values(known)
    held = rows.where(~rows.stalled & np.isin(rows.network, sorted(HELD_OUT)))
    powers = {gpu: _powers(known, gpu) for gpu in ("h100-sxm", "b200-sxm")}
    for metric, errors in fit_gpu.errors(held, values, powers, known).items():
        if metric != "power":
            assert np.median(np.abs(errors)) < 0.15, metric
            assert np.quantile(np.abs(errors), 0.9) < 0.30, metric


def test_stack_of_2023(data: Path, known: Catalog) -> None:
    settings = stack.read_stack(data / "splitwise_perf_model.csv")
    for gpu in ("a100-sxm-80", "h100-sxm"):
        own = [s for s in settings if s.gpu == gpu and not (s.devices == 2 and s.batch == 64)]
        reached = stack.fit_stack([s for s in own if not stack.is_tested(s)], known)
        assert reached == pytest.approx(old_stack(known.get(gpu)), rel=0.02)


def test_the_script_and_the_product_have_one_equation_of_power(known: Catalog) -> None:
    for name in ("h100-sxm", "h200-sxm", "b200-sxm", "a100-sxm-80"):
        gpu, (compute, memory) = known.get(name), np.random.default_rng(1).random((2, 20))
        watts = power.form(gpu, _powers(known, name), compute, memory)
        busy = of_product.busy(gpu)
        assert watts == pytest.approx([busy(c, m) for c, m in zip(compute.tolist(), memory.tolist(), strict=True)])


def test_power_of_h200_and_a100(data: Path, known: Catalog) -> None:
    table = products.read(data / "aic_gemm_power_sample.csv.gz", known)
    h200 = known.get("h200-sxm")
    found = power.fit(h200, *products.shares(table, known, "h200-sxm", power.LONG_S))
    assert found == pytest.approx(_powers(known, "h200-sxm"), rel=0.01)
    reading_w, errors = power.fit_old_decoding(data / "splitwise_perf_model.csv", known)
    assert reading_w == pytest.approx(known.get("a100-sxm-80")["power_memory_w"], rel=0.01)
    assert np.abs(errors).max() < 0.06


def test_image_generation(data: Path, known: Catalog) -> None:
    """Factors are fitted on H100; B200, and the two models without a factor, are not used."""
    rows = images.read(data / "mlenergy_v3.csv.gz", known)
    levels, factors = images.fit(images.shares(rows, known))
    assert {gpu: known.get(gpu)["diffusion_efficiency"] for gpu in levels} == pytest.approx(levels, rel=0.01)
    assert {name: known.get(name)["diffusion_factor"] for name in factors} == pytest.approx(factors, rel=0.01)
    errors = images.errors(rows, known)
    assert len(errors) == 14
    for (name, gpu), (seconds, joules) in errors.items():
        assert abs(np.median(seconds)) < (0.02 if name in factors and gpu == "h100-sxm" else 0.20), (name, gpu)
        assert abs(np.median(joules)) < 0.25, (name, gpu)


def test_training_efficiency(known: Catalog) -> None:
    assert training.efficiency(known) == pytest.approx(known.get("h100-sxm")["training_efficiency_fp8"], rel=0.01)
