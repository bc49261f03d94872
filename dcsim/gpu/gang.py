"""One step of a gang of GPUs that train together, over nodes: what it computes, and what it waits for.

    t = (compute + (1 - overlap) tensor) (1 + bubble) + stragglers + (1 - overlap) (stages + gradients)

for N = tensor x pipeline x copies GPUs:

- compute: FLOP / (N peak share); for networks other than language models no less than three forward passes of a GPU's
  samples, with their reading of memory, launches and embedding tables (`dcsim.gpu.vision`);
- tensor: four all-reduces of the activations per layer, two forward and two backward, between the GPUs of a node that
  share a layer (Shoeybi et al. 2019, arXiv 1909.08053);
- bubble: (p - 1) / (v m) of the time, for p stages, m micro-batches of a copy and v chunks of layers per stage
  (Narayanan et al. 2021, arXiv 2104.04473); of the whole that is (p - 1) / (m + p - 1) for v = 1;
- stages: activations, and their gradients, passed to the next stage, v times as often with v chunks (the same paper);
- gradients: ring all-reduce between the copies, each GPU with its part of the model;
- stragglers: the expected largest of N normal step times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from dcsim.catalog import Entry
from dcsim.errors import PlacementError
from dcsim.gpu import kernels, memory, split, vision
from dcsim.gpu.kernels import Kernel
from dcsim.gpu.roofline import choose_precision, in_format, peak_flop_per_s
from dcsim.gpu.training import BYTES_PER_PARAMETER, run_flop, run_s

#: GPUs of a node, joined by its own links.
NODE = 8
_VALUE_BYTES = 2.0  # gradients and activations stay in 16 bits whatever the format of the products
_ALL_REDUCES = 4.0  # per layer and step
_PASSES = 3.0  # a backward pass takes as long as two forward ones
_CHUNK_LAYERS = 2.0  # of an interleaved schedule, as in most recipes of NVIDIA's NeMo
_MICRO_TOKENS = 8192  # one sequence of today's language models


@dataclass(frozen=True)
class Gang:
    """GPUs that step together. Numbers below 0, or no GPU, are errors of the caller's scenario."""

    devices: int
    compute_share: float | None = None
    """share of the peak rate while a GPU computes, communication not counted; None: that of `compute_share`"""
    step_spread: float = 0.0
    """coefficient of variation of one GPU's step time"""
    overlap: float = 0.0
    """share of the communication that computing hides"""
    link_bytes_per_s: float = math.inf
    """of one GPU, one way, to the GPUs of other nodes (network card)"""
    checkpoint_s: float = 0.0
    """that all GPUs wait for one checkpoint"""
    failure_s: float = math.inf
    """mean time between failures of one GPU with its share of the node"""
    restart_s: float = 0.0
    """from a failure to the first step after it"""

    def __post_init__(self) -> None:
        """Raise PlacementError for a gang that cannot step."""
        if self.devices < 1:
            raise PlacementError(f"gang: devices is {self.devices}; want at least 1")
        for name, low, high in (("compute_share", 0.0, 1.0), ("step_spread", -1.0, 1.0), ("overlap", -1.0, 1.0)):
            value = getattr(self, name)
            if value is not None and (not low < value <= high or value < 0.0):
                raise PlacementError(f"gang: {name} is {value:g}; allowed: 0 to 1")


@dataclass(frozen=True)
class Layout:
    """How a copy of the model is spread over GPUs; the other GPUs of the gang hold further copies."""

    tensor: int = 1
    """GPUs that share every layer, in one node"""
    pipeline: int = 1
    """stages that layers are dealt to, one after the other"""
    interleave: int = 1
    """chunks of layers of a stage, between which the micro-batches go round"""
    micro_batch: int = _MICRO_TOKENS
    """tokens or samples that go through the stages of a copy at a time"""

    def copies(self, devices: int) -> int:
        """Copies of the model on so many GPUs; PlacementError when they are not a whole number of them."""
        for name in ("tensor", "pipeline", "interleave", "micro_batch"):
            if getattr(self, name) < 1:
                raise PlacementError(f"layout: {name} is {getattr(self, name)}; want at least 1")
        held = self.tensor * self.pipeline
        if self.tensor > NODE:
            raise PlacementError(f"layout: tensor is {self.tensor}; a layer is shared in one node, at most {NODE}")
        if devices % held:
            raise PlacementError(
                f"layout: {devices} GPUs are no whole number of copies of {self.tensor} x {self.pipeline} = {held}"
            )
        return devices // held


@dataclass(frozen=True)
class Step:
    """One step of a gang, s."""

    work: tuple[Kernel, ...]
    """what a GPU computes, with all that it reads and launches for it"""
    peak_s: float
    """what its FLOP take at the peak rate"""
    bubble_s: float
    """that GPUs wait for the other stages of the pipeline"""
    straggler_s: float
    """that the others wait for the slowest"""
    exposed_s: float
    """communication that is not hidden"""

    @property
    def compute_s(self) -> float:
        """Of `work`."""
        return kernels.seconds(self.work)

    @property
    def seconds(self) -> float:
        return self.compute_s + self.bubble_s + self.straggler_s + self.exposed_s

    @property
    def mfu(self) -> float:
        """Model FLOP utilisation: what the step computes at the peak rate over what it takes."""
        return self.peak_s / self.seconds


def expected_maximum(count: int) -> float:
    """Expected largest of `count` standard normal numbers (Blom 1958): quantile (n - .375) / (n + .25); 0 for one.

    Within .03 of the exact value for every count (2: .59 for .564; 100: 2.50 for 2.508).
    """
    return 0.0 if count == 1 else NormalDist().inv_cdf((count - 0.375) / (count + 0.25))


def compute_share(model: Entry, gpu: Entry, precision: str, samples: float = 1.0) -> float:
    """Share of the peak that a step reaches while it computes.

    Language models: that of large products, and layers beside them. Other networks: what their layers reach at so many
    samples on a GPU.
    """
    if "kv_bytes_per_token" in model:
        return in_format(gpu, "compute_efficiency", precision) * in_format(gpu, "training_efficiency", precision)
    reached = vision.reached_rates(model, gpu, precision, max(1, round(samples)))
    return reached.flop_per_s / peak_flop_per_s(gpu, precision)


def fewest(model: Entry, gpu: Entry, devices: int, *, tensor: int | None = None, pipeline: int | None = None) -> Layout:
    """The layout with the fewest GPUs that hold a copy and divide the gang: tensor parallel in a node, then stages.

    `tensor` or `pipeline` given stay, and both given are taken as they are. A model without a width, or with embedding
    tables, has a copy on every GPU, its state sharded over the gang. Chunks of two layers, micro-batches of 8,192
    tokens, or of one sample. PlacementError when no layout that holds a copy divides the gang.
    """
    micro_batch = _MICRO_TOKENS if "kv_bytes_per_token" in model else 1
    if vision.splittable(model) or "model_width" not in model:
        return Layout(tensor or 1, pipeline or 1, micro_batch=micro_batch)
    if tensor and pipeline:
        return _in_chunks(model, tensor, pipeline, micro_batch)
    needed = math.ceil(BYTES_PER_PARAMETER * model["parameters"] / memory.room_bytes(gpu, 1))
    largest = min(NODE, 2 ** math.ceil(math.log2(max(1.0, needed / (pipeline or 1)))))
    widths = [tensor] if tensor else [2**power for power in reversed(range(int(math.log2(largest)) + 1))]
    allowed = split.allowed(model)
    fitting = [
        (width, stages)
        for width in widths
        if width in allowed
        for stages in ([pipeline] if pipeline else range(1, devices // width + 1))
        if width * stages >= needed and devices % (width * stages) == 0
    ]
    if not fitting:
        of_each = f", {tensor} of which share a layer" if tensor else f" in {pipeline} stages" if pipeline else ""
        raise PlacementError(f"layout: {devices} GPUs are no whole number of copies of at least {needed} GPUs{of_each}")
    return _in_chunks(model, *fitting[0], micro_batch)


def _in_chunks(model: Entry, tensor: int, pipeline: int, micro_batch: int) -> Layout:
    interleave = max(1, int(model["layers"] / (_CHUNK_LAYERS * pipeline))) if pipeline > 1 else 1
    return Layout(tensor, pipeline, interleave, micro_batch)


def model_step(
    model: Entry, gpu: Entry, gang: Gang, samples: float, precision: str | None = None, layout: Layout | None = None
) -> Step:
    """A step of `samples` tokens or samples (the global batch) of `model`; the equation of the module.

    Without a layout every GPU has a copy. Embedding tables are spread over the gang, so that only the gradients of the
    dense part beside them are exchanged. Raises PlacementError for GPUs that are no whole number of copies, for more
    chunks than layers, and for stages of a model without a width.
    """
    spread = layout or Layout()
    copies = spread.copies(gang.devices)
    chosen = choose_precision(model, gpu, precision)
    peak_s = run_s(run_flop(model, samples), gang.devices, peak_flop_per_s(gpu, chosen), 1.0)
    work = _work(model, gpu, gang, samples, chosen, peak_s)
    compute_s = kernels.seconds(work)
    tensor_s, stages_s = _activations_s(model, gpu, gang, samples / copies, spread)
    exchanged = model["active_parameters" if "gather_bytes_per_sample" in model else "parameters"]
    own_bytes = _VALUE_BYTES * exchanged / (spread.tensor * spread.pipeline)
    gradients_s = 2.0 * (copies - 1) / copies * own_bytes / gang.link_bytes_per_s
    seen, micro_batches = 1.0 - gang.overlap, max(1.0, samples / copies / spread.micro_batch)
    return Step(
        work,
        peak_s,
        (compute_s + seen * tensor_s) * (spread.pipeline - 1) / (spread.interleave * micro_batches),
        compute_s * gang.step_spread * expected_maximum(gang.devices),
        seen * (tensor_s + stages_s + gradients_s),
    )


def _activations_s(model: Entry, gpu: Entry, gang: Gang, samples: float, layout: Layout) -> tuple[float, float]:
    """Time of a GPU to pass on the activations of a copy's `samples`: in its layers, and to the next stage."""
    if layout.tensor * layout.pipeline == 1:
        return 0.0, 0.0
    if "model_width" not in model:
        raise PlacementError(f"model '{model.name}' has no width, so its layers are not split: want tensor, pipeline 1")
    split.require("layout.tensor", model, layout.tensor)
    if layout.pipeline * layout.interleave > model["layers"]:
        raise PlacementError(
            f"layout: {layout.pipeline} stages of {layout.interleave} chunks; model '{model.name}' has"
            f" {model['layers']:.0f} layers"
        )
    moved = samples * model["model_width"] * _VALUE_BYTES
    reduces = _ALL_REDUCES * model["layers"] / layout.pipeline * 2.0 * (layout.tensor - 1) / layout.tensor
    stages = 2.0 * layout.interleave / layout.tensor if layout.pipeline > 1 else 0.0
    return reduces * moved / gpu["link_bytes_per_s"], stages * moved / gang.link_bytes_per_s


def _work(model: Entry, gpu: Entry, gang: Gang, samples: float, precision: str, peak_s: float) -> tuple[Kernel, ...]:
    """What one GPU computes in a step whose FLOP take `peak_s` at the peak rate."""
    own = samples / gang.devices
    share = compute_share(model, gpu, precision, own) if gang.compute_share is None else gang.compute_share
    law = Kernel("linear", "", "compute", peak_s / share, peak_s / share)
    if "kv_bytes_per_token" in model:
        return (law,)
    tables = vision.splittable(model)
    batch, devices = (samples, gang.devices) if tables else (own, 1)
    once = vision.pass_kernels(model, gpu, precision, max(1, math.ceil(batch)), devices)
    crossing = gpu["link_bytes_per_s"] / gang.link_bytes_per_s  # of table rows, between nodes too
    floor = [part.times(_PASSES * (crossing if part.name == "links" else 1.0)) for part in once]
    return tuple(max(part, law, key=lambda each: each.seconds) if part.name == "linear" else part for part in floor)
