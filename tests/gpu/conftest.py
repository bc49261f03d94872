"""A toy GPU and toy models with round numbers, so that every expectation can be worked out by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dcsim import catalog
from dcsim.catalog import Catalog

# A 1 TFLOP/s, 1 GB memory, 100 GB/s GPU: 10 W idle, 20 W awake, 100 W at full load; all efficiencies are 1/2.
_TOY = """
toy-gpu:
  kind: gpu
  title: Toy GPU
  numbers:
    fp16_flop_per_s: {value: 1, unit: TFLOP/s, source: test, grade: measured}
    fp8_flop_per_s: {value: 2, unit: TFLOP/s, source: test, grade: measured}
    memory_bytes: {value: 1, unit: GB, source: test, grade: measured}
    memory_bytes_per_s: {value: 100, unit: GB/s, source: test, grade: measured}
    tdp_w: {value: 100, unit: W, source: test, grade: measured}
    sleep_w: {value: 2, unit: W, source: test, grade: measured}
    idle_w: {value: 10, unit: W, source: test, grade: measured}
    awake_w: {value: 20, unit: W, source: test, grade: measured}
    peak_w: {value: 100, unit: W, source: test, grade: measured}
    power_exponent: {value: 2, unit: "1", source: test, grade: measured}
    clock_exponent: {value: 3, unit: "1", source: test, grade: measured}
    lowest_clock: {value: 0.4, unit: "1", source: test, grade: measured}
    power_memory_fixed: {value: 0.5, unit: "1", source: test, grade: measured}
    colocation_slowdown: {value: 0.5, unit: "1", source: test, grade: measured}
    diffusion_efficiency: {value: 0.25, unit: "1", source: test, grade: measured}
    training_power_share: {value: 0.9, unit: "1", source: test, grade: measured}
    training_efficiency: {value: 1, unit: "1", source: test, grade: measured}
    host_active_w: {value: 8, unit: W, source: test, grade: measured}
    compute_efficiency: {value: 0.5, unit: "1", source: test, grade: measured}
    memory_efficiency: {value: 0.5, unit: "1", source: test, grade: measured}
    gather_efficiency: {value: 0.25, unit: "1", source: test, grade: measured}
    launch_s: {value: 10, unit: us, source: test, grade: measured}
    step_s: {value: 1, unit: ms, source: test, grade: measured}
    layer_s: {value: 10, unit: us, source: test, grade: measured}
    expert_layer_s: {value: 20, unit: us, source: test, grade: measured}
    eager_layer_s: {value: 300, unit: us, source: test, grade: measured}
    eager_expert_layer_s: {value: 200, unit: us, source: test, grade: measured}
    expert_memory_efficiency: {value: 0.5, unit: "1", source: test, grade: measured}
    sample_s: {value: 1, unit: ns, source: test, grade: measured}
    host_call_s: {value: 100, unit: us, source: test, grade: measured}
    link_bytes_per_s: {value: 10, unit: GB/s, source: test, grade: measured}
    link_latency_s: {value: 5, unit: us, source: test, grade: measured}
toy-image:
  kind: model
  title: Toy image network, 10 layers, 1 M weights
  is: {task: vision, forms: [dense], dtype: fp16}
  numbers:
    parameters: {value: 1e6, unit: parameters, source: test, grade: measured}
    layers: {value: 10, unit: layers, source: test, grade: measured}
    flop_per_sample: {value: 100, unit: MFLOP, source: test, grade: measured}
    activation_bytes_per_sample: {value: 4, unit: MB, source: test, grade: measured}
    default_batch: {value: 8, unit: "1", source: test, grade: measured}
toy-ranker:
  kind: model
  title: Toy recommendation model, 600 M weights in tables
  is: {task: recommendation, forms: [dense], dtype: fp16}
  numbers:
    parameters: {value: 600e6, unit: parameters, source: test, grade: measured}
    active_parameters: {value: 1e6, unit: parameters, source: test, grade: measured}
    layers: {value: 5, unit: layers, source: test, grade: measured}
    flop_per_sample: {value: 2, unit: MFLOP, source: test, grade: measured}
    gather_bytes_per_sample: {value: 50, unit: kB, source: test, grade: measured}
toy-talker:
  kind: model
  title: Toy language model, 100 M weights, 10 layers of width 1,000
  is: {task: language, forms: [dense], dtype: fp16}
  numbers:
    parameters: {value: 100e6, unit: parameters, source: test, grade: measured}
    layers: {value: 10, unit: layers, source: test, grade: measured}
    model_width: {value: 1000, unit: "1", source: test, grade: measured}
    kv_bytes_per_token: {value: 40, unit: kB, source: test, grade: measured}
    kv_tokens_per_sequence: {value: 500, unit: tokens, source: test, grade: measured}
    default_batch: {value: 64, unit: "1", source: test, grade: measured}
    training_mfu: {value: 0.4, unit: "1", source: test, grade: measured}
toy-painter:
  kind: model
  title: Toy diffusion model of 10 layers in 4 steps, run kernel by kernel
  is: {task: image-generation, forms: [dense], dtype: fp16, eager: true}
  numbers:
    parameters: {value: 1e6, unit: parameters, source: test, grade: measured}
    layers: {value: 10, unit: layers, source: test, grade: measured}
    passes: {value: 4, unit: "1", source: test, grade: measured}
    flop_per_sample: {value: 10, unit: GFLOP, source: test, grade: measured}
toy-spiker:
  kind: model
  title: A network in spiking form only
  is: {task: keywords, forms: [spiking]}
  numbers:
    snn_steps: {value: 10, unit: steps, source: test, grade: measured}
"""


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The shipped catalog and the toys."""
    path: Path = tmp_path_factory.mktemp("catalog") / "toys.yaml"
    path.write_text(_TOY, encoding="utf-8")
    return catalog.load([path])


@pytest.fixture(scope="session")
def gpu_case() -> dict[str, list[dict[str, float | str]]]:
    """Measured GPU serving and training figures: cases/gpu/gpu.json."""
    folder = os.environ.get("DCSIM_DATA")
    if not folder:
        pytest.skip("DCSIM_DATA is not set: no measured GPU figures")
    path = Path(folder) / "cases" / "gpu" / "gpu.json"
    if not path.exists():
        pytest.skip("no cases/gpu/gpu.json under DCSIM_DATA")
    return json.loads(path.read_text(encoding="utf-8"))
