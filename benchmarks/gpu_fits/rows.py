"""ML.ENERGY's served language models as columns, with what the catalog says of their model and GPU."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcsim.catalog import Catalog, Entry
from dcsim.gpu.roofline import BYTES_PER_VALUE, peak_flop_per_s

FloatArray = npt.NDArray[np.float64]

#: Models that are never fitted: `dcsim validate gpu` tests on them.
HELD_OUT = frozenset({"llama-3.1-8b", "llama-3.1-405b", "qwen3-32b"})
GPUS = {"H100": "h100-sxm", "B200": "b200-sxm"}
_FORMATS = {"bfloat16": "bf16", "fp8": "fp8"}
_TASKS = ("lm-arena-chat", "gpqa", "sourcegraph-fim")
#: p90 over median of the time between tokens, where fewer than a tenth of the steps hold a prompt: above this the
#: host stalls the engine
_STALL = 1.3


@dataclass(frozen=True)
class Rows:
    """Measured configurations as columns of shape (n,), and what the catalog says of their model and GPU."""

    network: npt.NDArray[np.str_]
    gpu: npt.NDArray[np.str_]
    precision: npt.NDArray[np.str_]
    task: npt.NDArray[np.str_]
    stalled: npt.NDArray[np.bool_]
    column: Mapping[str, FloatArray]

    def __getitem__(self, name: str) -> FloatArray:
        return self.column[name]

    def __len__(self) -> int:
        return len(self.network)

    def where(self, keep: npt.NDArray[np.bool_]) -> Rows:
        """The rows of a mask."""
        return Rows(
            self.network[keep],
            self.gpu[keep],
            self.precision[keep],
            self.task[keep],
            self.stalled[keep],
            {name: values[keep] for name, values in self.column.items()},
        )


def read_rows(path: Path, known: Catalog) -> Rows:
    """Rows of text tasks whose model, GPU and format the catalog has, without data parallelism."""
    networks = {str(published): name for name in known.names("model") for published in hub(known.get(name))}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        kept = [
            row
            for row in csv.DictReader(file)
            if row["task"] in _TASKS
            and row["model_id"] in networks
            and row["weight_precision"] in _FORMATS
            and float(row["data_parallel"]) == 1.0
        ]
    names = [networks[row["model_id"]] for row in kept]
    gpus = [GPUS[row["gpu_model"]] for row in kept]
    precisions = [_FORMATS[row["weight_precision"]] for row in kept]
    columns = [
        _measured(row) | _shape(known.get(name), known.get(gpu), precision)
        for row, name, gpu, precision in zip(kept, names, gpus, precisions, strict=True)
    ]
    column = {key: np.array([line[key] for line in columns]) for key in columns[0]}
    rows = Rows(
        np.array(names),
        np.array(gpus),
        np.array(precisions),
        np.array([row["task"] for row in kept]),
        np.zeros(len(kept), bool),
        column,
    )
    return Rows(rows.network, rows.gpu, rows.precision, rows.task, _stalled(rows, kept), column)


def hub(model: Entry) -> Sequence[object]:
    """Names under which measurements list a model."""
    listed = model.facts.get("hub", [])
    return listed if isinstance(listed, list) else [listed]


def _measured(row: Mapping[str, str]) -> dict[str, float]:
    return {
        "devices": float(row["num_gpus"]),
        "cap": float(row["max_num_seqs"]),
        "batch": float(row["avg_batch_size"]),
        "output": float(row["avg_output_len"]),
        "power_w": float(row["avg_power_watts"]) / float(row["num_gpus"]),
        "itl_s": float(row["median_itl_ms"]) * 1e-3,
        "p90_s": float(row["p90_itl_ms"]) * 1e-3,
        "step_s": float(row["avg_batch_size"]) / float(row["output_throughput_tokens_per_sec"]),
    }


def _shape(model: Entry, gpu: Entry, precision: str) -> dict[str, float]:
    width, layers = BYTES_PER_VALUE[precision], model["layers"]
    expert_layers = model.get("expert_layers", 0.0)
    routed = expert_layers * model.get("experts", 0.0) * model.get("expert_parameters", 0.0)
    entry = model["vocabulary"] * model["model_width"]
    head = 0.0 if model.facts.get("tied_embeddings") else entry
    return {
        "layers": layers,
        "expert_layers": expert_layers,
        "experts": model.get("experts", 1.0),
        "chosen": model.get("experts_per_token", 1.0),
        "expert_bytes": expert_layers * model.get("expert_parameters", 0.0) * width,
        "dense_bytes": (model["parameters"] - routed - head) * width,
        "token_flop": 2.0 * (model.get("active_parameters", model["parameters"]) - head - entry),
        "output_flop": 2.0 * entry,
        "pair_flop": 4.0 * layers * model["attention_width"],
        "vocabulary": model["vocabulary"],
        "cache_bytes": model["kv_bytes_per_token"],
        "cache_split": model["kv_heads"],
        "state_bytes": model.get("state_bytes_per_sequence", 0.0),
        "reduce_bytes": 4.0 * layers * model["model_width"] * 2.0,
        "peak": peak_flop_per_s(gpu, precision),
        "bandwidth": gpu["memory_bytes_per_s"],
        "link": gpu["link_bytes_per_s"],
        "tdp_w": gpu["tdp_w"],
    }


def _stalled(rows: Rows, kept: Sequence[Mapping[str, str]]) -> npt.NDArray[np.bool_]:
    """Configurations (model, task, GPUs) whose steps without a prompt vary too much for decoding alone."""
    ratio: dict[tuple[str, ...], list[float]] = defaultdict(list)
    keys = [tuple(row[name] for name in ("model_id", "task", "gpu_model", "num_gpus")) for row in kept]
    for key, batch, output, p90, itl in zip(
        keys, rows["batch"], rows["output"], rows["p90_s"], rows["itl_s"], strict=True
    ):
        if batch / output < 0.1:
            ratio[key].append(p90 / itl)
    return np.array([bool(ratio[key]) and float(np.median(ratio[key])) > _STALL for key in keys])


#: parameter -> (prior value, standard deviation of its logarithm)
