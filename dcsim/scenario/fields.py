"""Field types of a scenario: quantities written with a unit, names, counts, a name or the thing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Discriminator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Tag
from pydantic_core import CoreSchema, core_schema

from dcsim import units


@dataclass(frozen=True)
class Measure:
    """Annotation of a float that is written with a unit of `dimension` ("90 s") and held in SI."""

    dimension: str
    example: str
    at_least: float | None = 0.0
    above: float | None = None
    bare_zero: bool = False
    """0 needs no unit"""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        number = core_schema.float_schema(ge=self.at_least, gt=self.above, allow_inf_nan=False)
        written = core_schema.plain_serializer_function_ser_schema(self._write, when_used="json")
        return core_schema.no_info_before_validator_function(self._read, number, serialization=written)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        symbols = "|".join(unit for unit in units.DIMENSIONS[self.dimension] if unit)
        bare = self.dimension == "ratio"
        return {
            "type": ["string", "number"] if bare or self.bare_zero else "string",
            **({"minimum": 0, "maximum": 0} if self.bare_zero else {}),
            "pattern": f"^ *{units.NUMBER} *({symbols}){'?' if bare else ''} *$",
            "examples": [self.example],
            "x-dimension": self.dimension,
        }

    def _read(self, value: object) -> float:
        if self.bare_zero and str(value).strip() in ("0", "0.0"):
            return 0.0
        return units.parse(value, self.dimension)

    def _write(self, value: float) -> str | float:
        return value if self.dimension == "ratio" else units.write(value, self.dimension)


Seconds = Annotated[float, Measure("time", "90 s")]
PositiveSeconds = Annotated[float, Measure("time", "1 d", at_least=None, above=0.0)]
Rate = Annotated[float, Measure("rate", "20/s", at_least=None, above=0.0)]
Watts = Annotated[float, Measure("power", "250 W")]
Bytes = Annotated[float, Measure("bytes", "64 GiB")]
Bandwidth = Annotated[float, Measure("bandwidth", "50 GB/s", at_least=None, above=0.0)]
Dollars = Annotated[float, Measure("money", "300 kUSD")]
Kilograms = Annotated[float, Measure("mass", "150 kg")]
CarbonIntensity = Annotated[float, Measure("carbon_intensity", "350 g/kWh")]
EnergyPrice = Annotated[float, Measure("energy_price", "0.08 USD/kWh", at_least=None)]
WaterIntensity = Annotated[float, Measure("water_intensity", "0.3 L/kWh")]
Ratio = Annotated[float, Measure("ratio", "0.95")]

#: Keys of the user's own dictionaries (sites, racks, streams): they become column values and labels.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


def _form(value: object) -> str:
    return "name" if isinstance(value, str) else "given"


def _sort(value: object) -> str:
    return "law" if isinstance(value, (dict, BaseModel)) else "number"


T = TypeVar("T")
S = TypeVar("S")
#: A number, or a law of it: Given[Number, Tokens]. Only the branch that was written is checked.
Given = Annotated[Annotated[S, Tag("number")] | Annotated[T, Tag("law")], Discriminator(_sort)]
#: A catalog name, or the thing itself: NamedOr[Sizes]. Only the branch that was written is checked.
NamedOr = Annotated[Annotated[str, Tag("name")] | Annotated[T, Tag("given")], Discriminator(_form)]
