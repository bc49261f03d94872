"""The fitting script computes what the product computes, and its numbers are those of the catalog."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dcsim.catalog import Catalog
from dcsim.gpu.roofline import in_format
from dcsim.gpu.steps import step_cost
from dcsim.validation.splitwise import stack

_PATH = Path(__file__).parents[2] / "benchmarks" / "fit_gpu.py"
pytestmark = pytest.mark.skipif(not os.environ.get("DCSIM_DATA"), reason="DCSIM_DATA is not set: nothing to fit to")


@pytest.fixture(scope="module")
def fit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fit_gpu", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fit_gpu"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


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


def test_the_script_and_the_engine_take_the_same_steps(fit: ModuleType, data: Path, known: Catalog) -> None:
    rows, values = fit.read_rows(data / "mlenergy_v3.csv.gz", known), _catalog_values(known)
    assert len(rows) == 443
    for prompt in (0.0, 700.0):
        steps = fit.step(rows, values, prompt)
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


def test_catalog_numbers_are_those_of_the_fit(fit: ModuleType, data: Path, known: Catalog) -> None:
    rows = fit.read_rows(data / "mlenergy_v3.csv.gz", known)
    usable = ~rows.stalled & ~np.isin(rows.network, sorted(fit.HELD_OUT))
    fitted, values = fit._named(fit.fit_times(rows.where(usable))), _catalog_values(known)
    for name, value in values.items():
        assert fitted[name] == pytest.approx(value, rel=0.03), name
    shares = fit.fit_power(rows.where(usable), fitted)
    for gpu, powers in shares.items():
        keys = ("power_floor_w", "power_compute_w", "power_memory_w")
        assert powers == pytest.approx([known.get(gpu)[key] for key in keys], rel=0.05)


def test_models_held_out_calibrate_nothing(fit: ModuleType, data: Path, known: Catalog) -> None:
    rows = fit.read_rows(data / "mlenergy_v3.csv.gz", known)
    for name in set(rows.network.tolist()):
        assert bool(known.get(name).facts.get("calibrates")) is (name not in fit.HELD_OUT), name


def test_models_not_fitted_are_within_the_tolerance(fit: ModuleType, data: Path, known: Catalog) -> None:
    """Llama 3.1 8B and 405B, Qwen3 32B on H100: every row without stalls."""
    rows, values = fit.read_rows(data / "mlenergy_v3.csv.gz", known), _catalog_values(known)
    held = rows.where(~rows.stalled & np.isin(rows.network, sorted(fit.HELD_OUT)))
    powers = {
        gpu: np.array([known.get(gpu)[f"power_{part}_w"] for part in ("floor", "compute", "memory")])
        for gpu in ("h100-sxm", "b200-sxm")
    }
    for metric, errors in fit.errors(held, values, powers).items():
        if metric != "power":
            assert np.median(np.abs(errors)) < 0.15, metric
            assert np.quantile(np.abs(errors), 0.9) < 0.30, metric


def test_stack_of_2023(fit: ModuleType, data: Path, known: Catalog) -> None:
    settings = fit.read_stack(data / "splitwise_perf_model.csv")
    for gpu in ("a100-sxm-80", "h100-sxm"):
        own = [s for s in settings if s.gpu == gpu and not (s.devices == 2 and s.batch == 64)]
        reached = fit.fit_stack([s for s in own if not fit.is_tested(s)], known)
        assert reached == pytest.approx(stack(known.get(gpu)), rel=0.02)
