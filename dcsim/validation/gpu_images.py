"""Block `images` of a case of kind `gpu`: batches of generated images, with their time and their energy.

The time of a model with a `diffusion_factor` is calibration: its factor, and the level of the GPU, come from such rows.
Its energy is a test, for power was fitted to language models; so are both of a model without a factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

from pydantic import Field

from dcsim.catalog import Entry
from dcsim.errors import DcsimError
from dcsim.gpu.points import batch_point
from dcsim.validation.case import Part, Positive
from dcsim.validation.report import Row, compare

_TOLERANCE = 0.25


class Drawn(Part):
    """One batch on one GPU."""

    model_id: str
    gpu_model: str
    batch_size: Annotated[int, Field(ge=1, le=4096)]
    batch_latency_s: Positive
    energy_per_image_joules: Positive


def images(rows: Sequence[Drawn], model_of: Callable[[str], Entry], gpu_of: Callable[[str], Entry]) -> Iterator[Row]:
    """Time of a batch and energy of an image, each row."""
    for row in rows:
        name = f"{row.model_id.rpartition('/')[2][:40]} {row.gpu_model[:20]}, batch {row.batch_size}"
        try:
            model = model_of(row.model_id)
            point = batch_point(model, gpu_of(row.gpu_model), batch=row.batch_size)
        except DcsimError as error:
            yield Row("gpu", name, "time, J/image", "skipped", note=str(error))
            continue
        holds = "calibration" if "diffusion_factor" in model else "passed"
        yield compare("gpu", name, "time, s", row.batch_latency_s, point.latency_s, _TOLERANCE, holds=holds)
        yield compare("gpu", name, "J/image", row.energy_per_image_joules, point.sample_j, _TOLERANCE)


#: ML.ENERGY v3 (2026-02-16), 1024 x 1024, one GPU: (model, GPU, batch, s, J per image), four digits.
_MEASURED = (
    ("black-forest-labs/FLUX.1-dev", "H100", 8, 87.98, 7570.0),
    ("black-forest-labs/FLUX.1-dev", "B200", 8, 58.9, 6756.0),
    ("stabilityai/stable-diffusion-3.5-large", "H100", 8, 49.08, 4143.0),
    ("stabilityai/stable-diffusion-3.5-large", "B200", 8, 34.6, 3721.0),
    ("stabilityai/stable-diffusion-3.5-medium", "H100", 8, 24.44, 1597.0),
    ("stabilityai/stable-diffusion-3.5-medium", "B200", 8, 16.98, 1732.0),
    ("PixArt-alpha/PixArt-Sigma-XL-2-1024-MS", "H100", 8, 8.247, 692.3),
    ("PixArt-alpha/PixArt-Sigma-XL-2-1024-MS", "B200", 8, 6.208, 621.4),
    ("Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers", "H100", 8, 60.83, 5108.0),
    ("Tencent-Hunyuan/HunyuanDiT-v1.2-Diffusers", "B200", 8, 46.23, 4713.0),
    ("Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers", "H100", 8, 5.144, 412.9),
    ("Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers", "B200", 8, 3.544, 356.7),
    ("Efficient-Large-Model/SANA1.5_4.8B_1024px_diffusers", "H100", 8, 13.97, 1180.0),
    ("Efficient-Large-Model/SANA1.5_4.8B_1024px_diffusers", "B200", 8, 9.548, 968.4),
)
BUILTIN = [dict(zip(Drawn.model_fields, row, strict=True)) for row in _MEASURED]
