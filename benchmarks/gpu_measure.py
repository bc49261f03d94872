"""Measures an NVIDIA GPU and writes one small CSV: a check of the catalog's numbers on a machine of your own.

    python benchmarks/gpu_measure.py --out gpu.csv [--device 0] [--seconds 1.0] [--only gemm,copy,resnet,decoder,idle]

Needs PyTorch with CUDA and NVML's Python bindings (`pip install torch nvidia-ml-py`; torchvision for ResNet-50).
Nothing of dcsim imports this script. What is measured, each with latency, mean power and energy per call:

- `idle`: power before and after a CUDA context exists;
- `gemm`: matrix products over sizes, in bf16, fp16, tf32, and fp8 where the GPU has it;
- `copy`: reading and writing memory over sizes;
- `resnet`: ResNet-50 over batch sizes, fp16, channels last;
- `decoder`: a transformer decoder block (width 4096, 32 heads, 8 key-value heads, gated MLP of 14336) that decodes,
  over batch and context, and one that reads prompts.

Power is NVML's energy counter over the time of many calls (from Volta on), so a call may be far shorter than a
reading. Calls are repeated for --seconds after a warm-up of a fifth of that. A size that does not fit the memory is
left out. No figure of the catalog comes from this script: no GPU was at hand to run it.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TextIO

KINDS = ("idle", "gemm", "copy", "resnet", "decoder")
_GEMM_SIZES = ((1, 4096), (16, 4096), (64, 4096), (256, 4096), (1024, 4096), (4096, 4096), (8192, 8192), (16384, 8192))
_GEMM_FORMATS = ("bf16", "fp16", "tf32", "fp8")
_LEAST_FP8_ROWS = 16  # that the kernel takes
_COPY_BYTES = (2**20, 2**23, 2**26, 2**29, 2**32)
_BATCHES = (1, 8, 32, 128, 256)
_CONTEXTS = (256, 1024, 4096, 16384)
_PROMPTS = (512, 2048, 8192)
_WIDTH, _HEADS, _KV_HEADS, _HIDDEN = 4096, 32, 8, 14336
_HEAD = _WIDTH // _HEADS
_RESNET_FLOP = 8.2e9


@dataclass(frozen=True)
class Case:
    """What is run: its kind, its parameters as text, and the work of one call."""

    kind: str
    detail: str
    precision: str
    flop: float
    moved_bytes: float


@dataclass(frozen=True)
class Line:
    """One line of the CSV."""

    kind: str
    detail: str
    precision: str
    flop: float
    moved_bytes: float
    calls: int
    latency_s: float
    """median of the timed groups, per call"""
    latency_spread: float
    """interquartile range of the groups over the median"""
    power_w: float
    energy_j: float
    """per call"""
    flop_per_s: float
    bytes_per_s: float
    gpu: str
    driver: str
    torch: str
    date: str


@dataclass(frozen=True)
class Machine:
    """What the figures were measured on."""

    gpu: str
    driver: str
    torch: str
    date: str


@dataclass(frozen=True)
class Timing:
    """Times of equal groups of calls, s, and the energy of all of them, J."""

    group_s: tuple[float, ...]
    calls_per_group: int
    energy_j: float


# ---------------------------------------------------------------- without a GPU


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Arguments of the command line; exits with 2 and a line that says what is allowed."""
    parser = argparse.ArgumentParser(description="Measure latency, power and energy of kernels on an NVIDIA GPU.")
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--device", type=int, default=0, help="number of the GPU")
    parser.add_argument("--seconds", type=float, default=1.0, help="time of each measurement")
    parser.add_argument("--only", default=",".join(KINDS), help=f"any of {', '.join(KINDS)}, with commas")
    wanted = parser.parse_args(argv)
    wanted.only = tuple(part.strip() for part in wanted.only.split(",") if part.strip())
    unknown = [kind for kind in wanted.only if kind not in KINDS]
    if unknown or not wanted.only:
        parser.error(f"--only: found {', '.join(unknown) or 'nothing'}; allowed: {', '.join(KINDS)}")
    if not (math.isfinite(wanted.seconds) and wanted.seconds > 0.0):
        parser.error(f"--seconds: found {wanted.seconds:g}; want more than 0")
    if wanted.device < 0:
        parser.error(f"--device: found {wanted.device}; want 0 or more")
    return wanted


def gemm_case(rows: int, width: int, precision: str) -> Case:
    """The product of (rows, width) and (width, width); tf32 values take 4 bytes, fp8 ones 1 and 2 in the result."""
    size = {"bf16": 2.0, "fp16": 2.0, "tf32": 4.0, "fp8": 1.0}[precision]
    result = 4.0 if precision == "tf32" else 2.0
    moved = size * (rows * width + width * width) + result * rows * width
    return Case("gemm", f"m={rows} n={width} k={width}", precision, 2.0 * rows * width * width, moved)


def decoder_case(batch: int, tokens: int, context: int) -> Case:
    """`tokens` new tokens of each of `batch` sequences after `context` others: one block, 16-bit values."""
    weights = _WIDTH * (_WIDTH + 2 * _KV_HEADS * _HEAD) + _WIDTH * _WIDTH + 3 * _WIDTH * _HIDDEN
    pairs = tokens * context + tokens * (tokens + 1) / 2
    flop = batch * (2.0 * weights * tokens + 4.0 * _WIDTH * pairs)
    cache = batch * (context + tokens) * 2 * _KV_HEADS * _HEAD * 2.0
    return Case("decoder", f"batch={batch} tokens={tokens} context={context}", "bf16", flop, 2.0 * weights + cache)


def resnet_case(batch: int) -> Case:
    """ResNet-50 at 224 x 224: 8.2 GFLOP and 44 MB of activations per image, 51 MB of weights."""
    return Case("resnet", f"batch={batch}", "fp16", batch * _RESNET_FLOP, 51.1e6 + batch * 44.4e6)


def line(case: Case, timing: Timing, machine: Machine) -> Line:
    """Statistics of one measurement. Raises ValueError when nothing was timed."""
    if not timing.group_s or timing.calls_per_group < 1:
        raise ValueError(f"{case.kind} {case.detail}: nothing was timed")
    calls = len(timing.group_s) * timing.calls_per_group
    each = [group / timing.calls_per_group for group in timing.group_s]
    latency = statistics.median(each)
    quartiles = statistics.quantiles(each, n=4) if len(each) > 1 else [latency] * 3
    return Line(
        **asdict(case),
        calls=calls,
        latency_s=latency,
        latency_spread=(quartiles[2] - quartiles[0]) / latency,
        power_w=timing.energy_j / sum(timing.group_s),
        energy_j=timing.energy_j / calls,
        flop_per_s=case.flop / latency,
        bytes_per_s=case.moved_bytes / latency,
        **asdict(machine),
    )


def write(lines: Sequence[Line], out: TextIO) -> None:
    """The CSV: a heading and a line per measurement, numbers with six digits."""
    writer = csv.writer(out, lineterminator="\n")
    names = [field.name for field in fields(Line)]
    writer.writerow(names)
    for each in lines:
        values = (getattr(each, name) for name in names)
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in values])


# ---------------------------------------------------------------- on the GPU


class Meter:
    """NVML's view of one GPU."""

    def __init__(self, nvml: Any, device: int) -> None:
        self._nvml = nvml
        nvml.nvmlInit()
        self._handle = nvml.nvmlDeviceGetHandleByIndex(device)

    def name(self) -> str:
        """Name of the GPU."""
        return str(self._nvml.nvmlDeviceGetName(self._handle))

    def uuid(self) -> str:
        """Identity of the GPU: CUDA may number the devices otherwise."""
        return str(self._nvml.nvmlDeviceGetUUID(self._handle)).removeprefix("GPU-")

    def driver(self) -> str:
        """Version of the driver."""
        return str(self._nvml.nvmlSystemGetDriverVersion())

    def energy_j(self) -> float:
        """Energy since the driver was loaded, J (counted in mJ)."""
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) * 1e-3

    def waiting_w(self, seconds: float) -> float:
        """Mean power over some time in which nobody calls, W."""
        before, start = self.energy_j(), time.perf_counter()
        time.sleep(seconds)
        return (self.energy_j() - before) / (time.perf_counter() - start)


def measure(call: Callable[[], object], torch: Any, meter: Meter, seconds: float) -> Timing:
    """Repeat a call for about `seconds`, in ten groups or more, after a warm-up."""
    calls = 1
    while (took := _timed(call, torch, calls)) < seconds / 50.0:  # until a group takes a fiftieth
        calls *= 2
    _timed(call, torch, max(1, round(calls * (seconds / 5.0) / took)))
    groups: list[float] = []
    before = meter.energy_j()
    while sum(groups) < seconds or len(groups) < 10:
        groups.append(_timed(call, torch, calls))
    return Timing(tuple(groups), calls, meter.energy_j() - before)


def _timed(call: Callable[[], object], torch: Any, calls: int) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def works(torch: Any, kinds: Sequence[str]) -> Iterator[tuple[Case, Callable[[], Callable[[], object]]]]:
    """(case, function that sets it up on the GPU and gives the call to time)."""
    if "gemm" in kinds:
        for precision in _GEMM_FORMATS:
            for rows, width in _GEMM_SIZES:
                if precision == "fp8" and rows < _LEAST_FP8_ROWS:
                    continue
                yield gemm_case(rows, width, precision), lambda r=rows, w=width, p=precision: _gemm(torch, r, w, p)
    if "copy" in kinds:
        for size in _COPY_BYTES:
            yield Case("copy", f"bytes={size}", "bytes", 0.0, 2.0 * size), lambda s=size: _copy(torch, s)
    if "resnet" in kinds:
        for batch in _BATCHES:
            yield resnet_case(batch), lambda b=batch: _resnet(torch, b)
    if "decoder" in kinds:
        for batch in _BATCHES:
            for context in _CONTEXTS:
                yield decoder_case(batch, 1, context), lambda b=batch, c=context: _decoder(torch, b, 1, c)
        for prompt in _PROMPTS:
            yield decoder_case(1, prompt, 0), lambda n=prompt: _decoder(torch, 1, n, 0)


def _gemm(torch: Any, rows: int, width: int, precision: str) -> Callable[[], object]:
    if precision == "fp8":
        a = torch.randn(rows, width, device="cuda").to(torch.float8_e4m3fn)
        b = torch.randn(width, width, device="cuda").to(torch.float8_e4m3fn).t()
        one = torch.ones((), device="cuda")
        return lambda: torch._scaled_mm(a, b, scale_a=one, scale_b=one, out_dtype=torch.bfloat16)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "tf32": torch.float32}[precision]
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    a, b = (torch.randn(n, width, device="cuda", dtype=dtype) for n in (rows, width))
    return lambda: torch.matmul(a, b)


def _copy(torch: Any, size: int) -> Callable[[], object]:
    source = torch.zeros(size, device="cuda", dtype=torch.uint8)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def _resnet(torch: Any, batch: int) -> Callable[[], object]:
    import torchvision

    model = torchvision.models.resnet50().cuda().half().eval().to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, 224, 224, device="cuda").half().to(memory_format=torch.channels_last)

    def call() -> object:
        with torch.inference_mode():
            return model(images)

    return call


def _decoder(torch: Any, batch: int, tokens: int, context: int) -> Callable[[], object]:
    """One block in a captured graph, so that launches do not decide."""
    functional, place = torch.nn.functional, {"device": "cuda", "dtype": torch.bfloat16}
    both = 2 * _KV_HEADS * _HEAD
    qkv, out = torch.randn(_WIDTH + both, _WIDTH, **place) * 0.02, torch.randn(_WIDTH, _WIDTH, **place) * 0.02
    gate, up = (torch.randn(_HIDDEN, _WIDTH, **place) * 0.02 for _ in range(2))
    down, scale = torch.randn(_WIDTH, _HIDDEN, **place) * 0.02, torch.ones(_WIDTH, **place)
    hidden = torch.randn(batch, tokens, _WIDTH, **place)
    cache = torch.randn(2, batch, _KV_HEADS, context + tokens, _HEAD, **place)

    def block() -> object:
        normed = functional.rms_norm(hidden, (_WIDTH,), scale)
        query, key, value = functional.linear(normed, qkv).split((_WIDTH, both // 2, both // 2), dim=-1)
        for part, new in zip(cache, (key, value), strict=True):
            part[:, :, context:] = new.view(batch, tokens, _KV_HEADS, _HEAD).transpose(1, 2)
        heads = query.view(batch, tokens, _HEADS, _HEAD).transpose(1, 2)
        seen = functional.scaled_dot_product_attention(heads, cache[0], cache[1], is_causal=tokens > 1, enable_gqa=True)
        mixed = hidden + functional.linear(seen.transpose(1, 2).reshape(batch, tokens, _WIDTH), out)
        normed = functional.rms_norm(mixed, (_WIDTH,), scale)
        return mixed + functional.linear(
            functional.silu(functional.linear(normed, gate)) * functional.linear(normed, up), down
        )

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(3):
            block()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        block()
    replay: Callable[[], object] = graph.replay
    return replay


def idle_lines(torch: Any, meter: Meter, machine: Machine, seconds: float) -> Iterator[Line]:
    """Power before this process has a context on the GPU, and after."""
    for detail in ("no context", "context"):
        if detail == "context":
            torch.zeros(1, device="cuda")
            torch.cuda.synchronize()
            time.sleep(min(5.0, 5.0 * seconds))
        watts = meter.waiting_w(5.0 * seconds)
        timing = Timing((5.0 * seconds,), 1, 5.0 * seconds * watts)
        yield line(Case("idle", detail, "-", 0.0, 0.0), timing, machine)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write; 2 without a GPU or without the packages."""
    wanted = parse(argv)
    try:
        import pynvml
        import torch
    except ImportError as error:
        sys.stderr.write(f"gpu_measure: {error.name} is not installed; pip install torch nvidia-ml-py torchvision\n")
        return 2
    try:
        meter = Meter(pynvml, wanted.device)
    except pynvml.NVMLError as error:
        sys.stderr.write(f"gpu_measure: no NVIDIA GPU {wanted.device}: {error}\n")
        return 2
    machine = Machine(meter.name(), meter.driver(), str(torch.__version__), time.strftime("%Y-%m-%d"))
    lines = list(idle_lines(torch, meter, machine, wanted.seconds)) if "idle" in wanted.only else []
    uuids = [str(torch.cuda.get_device_properties(n).uuid) for n in range(torch.cuda.device_count())]
    if meter.uuid() not in uuids:
        sys.stderr.write(f"gpu_measure: CUDA does not see GPU {wanted.device}; is CUDA_VISIBLE_DEVICES set?\n")
        return 2
    torch.cuda.set_device(uuids.index(meter.uuid()))
    for case, set_up in works(torch, wanted.only):
        try:
            lines.append(line(case, measure(set_up(), torch, meter, wanted.seconds), machine))
        except (torch.cuda.OutOfMemoryError, RuntimeError, AttributeError, ImportError) as error:
            sys.stderr.write(
                f"left out {case.kind} {case.detail} {case.precision}: {str(error).splitlines()[0][:120]}\n"
            )
        torch.cuda.empty_cache()
        sys.stderr.write(f"{len(lines)} lines\r")
    with wanted.out.open("w", encoding="utf-8", newline="") as file:
        write(lines, file)
    sys.stderr.write(f"{wanted.out}: {len(lines)} lines\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
