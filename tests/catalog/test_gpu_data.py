"""The shipped GPUs, nodes, hosts, racks and models: complete, consistent, and near measured nodes."""

from __future__ import annotations

import pytest

from dcsim import catalog
from dcsim.catalog import Catalog, Entry
from dcsim.gpu import power
from dcsim.gpu.roofline import BYTES_PER_VALUE, in_format, precisions

_GPU_KEYS = (
    *("memory_bytes", "memory_bytes_per_s", "tdp_w", "idle_w", "awake_w", "peak_w"),
    *(
        "power_compute_w",
        "power_memory_w",
        "sleep_w",
        "clock_exponent",
        "lowest_clock",
        "power_memory_fixed",
        "training_power_share",
        "host_active_w",
        "colocation_slowdown",
    ),
    *("compute_efficiency", "memory_efficiency", "expert_memory_efficiency", "gather_efficiency"),
    *(
        "diffusion_efficiency",
        "layer_s",
        "expert_layer_s",
        "step_s",
        "sample_s",
        "eager_layer_s",
        "eager_expert_layer_s",
    ),
    *("launch_s", "host_call_s", "link_bytes_per_s", "link_latency_s", "price_usd", "embodied_kg"),
)
_GPUS = (
    *("v100-sxm2-32", "t4", "a100-sxm-80", "l4", "l40s", "rtx-4090", "rtx-pro-6000"),
    *("h100-sxm", "h200-sxm", "b200-sxm", "mi300x"),
)
_SYSTEMS = (
    *("hgx-h100", "hgx-h200", "hgx-b200", "hgx-a100", "hgx-v100", "hgx-mi300x", "server-4x-l40s"),
    *("server-8x-l4", "server-4x-t4", "server-8x-rtx-pro-6000", "workstation-4x-rtx-4090"),
)


@pytest.fixture(scope="module")
def known() -> Catalog:
    return catalog.load()


def _node_w(known: Catalog, system: Entry, gpu_w: str, host_w: str, boards: tuple[str, ...]) -> float:
    gpu, host = known.get(str(system.facts["device"])), known.get(str(system.facts["host"]), "host")
    return system["devices"] * gpu[gpu_w] + host[host_w] + sum(system[key] for key in boards)


def _peak_w(known: Catalog, system: Entry) -> float:
    return _node_w(known, system, "peak_w", "max_w", ("board_idle_w", "board_active_w"))


def _idle_w(known: Catalog, system: Entry) -> float:
    return _node_w(known, system, "idle_w", "idle_w", ("board_idle_w",))


@pytest.mark.parametrize("name", _GPUS)
def test_gpu_is_complete_and_plausible(known: Catalog, name: str) -> None:
    gpu = known.get(name, "gpu")
    for key in _GPU_KEYS:
        assert key in gpu, key
    assert "fp16" in precisions(gpu)
    assert 0 < gpu["idle_w"] < gpu["awake_w"] < gpu["peak_w"] <= 1.03 * gpu["tdp_w"]
    for precision in precisions(gpu):
        for key in ("compute_efficiency", "memory_efficiency"):
            assert 0 < in_format(gpu, key, precision) <= 0.95
    busy = power.busy(gpu)
    assert gpu["awake_w"] <= busy(0.0, 0.0) < busy(0.05, 0.5) < busy(1.0, 1.0) <= gpu["tdp_w"]
    embodied = gpu.quantity("embodied_kg")
    assert embodied.si_low is not None
    assert embodied.si_high is not None


@pytest.mark.parametrize("name", _SYSTEMS)
def test_system_names_a_gpu_and_a_host_and_has_every_figure(known: Catalog, name: str) -> None:
    system = known.get(name, "system")
    assert system.facts["family"] == "gpu"
    assert known.get(str(system.facts["device"]), "gpu").name in _GPUS
    for key in (
        "devices",
        "boards",
        "board_idle_w",
        "board_active_w",
        "rack_units",
        "price_usd",
        "embodied_kg",
    ):
        assert system[key] > 0
    assert _idle_w(known, system) < 0.45 * _peak_w(known, system)
    if "rated_w" in system:
        assert _peak_w(known, system) <= system["rated_w"]


def test_hgx_h100_draws_what_was_measured_in_training(known: Catalog) -> None:
    """8.4 kW AC at most, of a rated 10.2 kW (Latif et al. 2025); supplies are 95 % efficient then.

    A consistency check: board_active_w was set from this figure.
    """
    node = known.get("hgx-h100")
    assert _peak_w(known, node) / 0.95 == pytest.approx(node["observed_max_w"], rel=0.03)
    assert node["observed_max_w"] < node["rated_w"]


def test_hgx_a100_spans_the_measured_servers(known: Catalog) -> None:
    """Acme's 8-GPU servers: 1,512 W at the 5th percentile, 5,418 W at the 99th, 6,554 W at most."""
    node = known.get("hgx-a100")
    assert _idle_w(known, node) == pytest.approx(1512, rel=0.05)
    assert 5418 * 0.97 < _peak_w(known, node) < node["observed_max_w"]


def test_hgx_prices_are_in_the_quoted_range(known: Catalog) -> None:
    """An 8-GPU H100 node costs 250-350 kUSD with GPUs and host."""
    node = known.get("hgx-h100")
    gpu, host = known.get("h100-sxm"), known.get("host-gpu-2-socket")
    assert 250e3 <= 8 * gpu["price_usd"] + host["price_usd"] + node["price_usd"] <= 350e3


@pytest.mark.parametrize("name", ["host-gpu-2-socket", "host-2u-2-socket", "host-1u-1-socket", "host-embedded-arm"])
def test_hosts_are_complete(known: Catalog, name: str) -> None:
    host = known.get(name, "host")
    assert 0 < host["idle_w"] < host["max_w"]
    for key in ("cores", "memory_bytes", "price_usd", "embodied_kg"):
        assert host[key] > 0


def test_racks_are_complete(known: Catalog) -> None:
    for name in ("rack-42u", "rack-42u-1gbe", "rack-48u"):
        for key in ("switch_w", "price_usd", "embodied_kg", "rack_units"):
            assert known.get(name, "rack")[key] > 0


@pytest.mark.parametrize(
    ("name", "layers", "heads", "kv"),
    [
        ("llama-3.1-8b", 32, 8, 131_072),
        ("llama-2-70b", 80, 8, 327_680),
        ("llama-3.1-70b", 80, 8, 327_680),
        ("llama-3.1-405b", 126, 8, 516_096),
        ("qwen3-32b", 64, 8, 262_144),
        ("gpt-3-175b", 96, 96, 4_718_592),
    ],
)
def test_language_models_and_their_cache(known: Catalog, name: str, layers: int, heads: int, kv: int) -> None:
    """Key-value bytes per token = 2 x layers x key-value heads x 128 x 2 bytes."""
    model = known.get(name, "model")
    assert model["layers"] == layers
    assert model["kv_bytes_per_token"] == kv == 2 * layers * heads * 128 * 2
    assert model.facts["dtype"] in BYTES_PER_VALUE
    # a transformer has about 12 x layers x width^2 parameters; grouped queries and gated MLPs move it
    assert model["parameters"] == pytest.approx(12 * layers * model["model_width"] ** 2, rel=0.65)


@pytest.mark.parametrize(
    ("name", "active_share"),
    [
        ("qwen3-30b-a3b", 3.3 / 30.5),
        ("qwen3-235b-a22b", 22 / 235),
        ("qwen3-coder-480b-a35b", 35 / 480),
        ("deepseek-v3", 37 / 671),
        ("llama-4-scout", 17 / 109),
        ("llama-4-maverick", 17 / 400),
    ],
)
def test_experts_add_up(known: Catalog, name: str, active_share: float) -> None:
    """Active = all but the experts that a token does not take; the published shares are rounded."""
    model = known.get(name)
    one = model["expert_layers"] * model["expert_parameters"]
    active = model["parameters"] - one * (model["experts"] - model["experts_per_token"])
    assert model["active_parameters"] == pytest.approx(active, rel=0.02)
    assert active / model["parameters"] == pytest.approx(active_share, rel=0.05)
    assert 0 < model["routing_exponent"] <= 1


def test_published_names_of_models_are_unique(known: Catalog) -> None:
    """A name under which measurements list a model leads to one entry."""
    names = [hub for name in known.names("model") for hub in known.get(name).facts.get("hub", [])]
    assert len(names) == len(set(names)) > 20


def test_resnet_and_dlrm(known: Catalog) -> None:
    resnet, dlrm = known.get("resnet-50"), known.get("dlrm")
    assert resnet["weight_bytes"] == pytest.approx(2 * resnet["parameters"], rel=0.01)
    dense = 13 * 512 + 512 * 256 + 256 * 128
    cross = 3 * 2 * 3456 * 512
    top = 3456 * 1024 + 1024 * 1024 + 1024 * 512 + 512 * 256 + 256
    assert dlrm["active_parameters"] == pytest.approx(dense + cross + top, rel=0.01)
    assert dlrm["flop_per_sample"] == pytest.approx(2 * (dense + cross + top), rel=0.01)
    assert dlrm["parameters"] == pytest.approx(204_184_588 * 128 + dense + cross + top, rel=0.01)
    assert dlrm["gather_bytes_per_sample"] == 214 * 128 * 2
