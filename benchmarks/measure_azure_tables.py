"""Measures the tables of dcsim/catalog/data/workloads.yaml from public traces and prints that file.

    DCSIM_DATA=FOLDER python benchmarks/measure_azure_tables.py > dcsim/catalog/data/workloads.yaml

FOLDER/data/traces holds azure_llm_2023_conv.csv.gz (AzureLLMInferenceTrace_conv of Azure/AzurePublicDataset)
and servegen_rates_10min.csv.gz (alibaba/ServeGen: requests/s summed over all clients of a model in windows of
10 minutes, columns model, ts, rate).
"""

from __future__ import annotations

import csv
import gzip
import os
import sys
import textwrap
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from dcsim.workload import traces
from dcsim.workload.sizes import measure

FloatArray = npt.NDArray[np.float64]

_SCRIPT = "measured by benchmarks/measure_azure_tables.py"
_AZURE = (
    "Azure LLM inference trace 2023, conversation (Azure/AzurePublicDataset; Patel et al., Splitwise,"
    f" ISCA 2024), CC-BY-4.0; {_SCRIPT}"
)
_SERVEGEN = f"ServeGen client rates (alibaba/ServeGen, Xiang et al., NSDI 2026), Apache-2.0; {_SCRIPT}"
_HEAD = """\
# Sizes and rate profiles of public workloads.
# Printed by benchmarks/measure_azure_tables.py; do not edit by hand.
"""
_MINUTE_S = 60.0


def document(folder: Path) -> str:
    """Text of the catalog file, from the traces in `folder`."""
    azure = traces.read(folder / "azure_llm_2023_conv.csv.gz", "azure-llm")
    parts = [_HEAD, _sizes(azure.columns["input_tokens"], azure.columns["output_tokens"], azure.arrival_s)]
    parts.append(_hour(azure.arrival_s))
    with gzip.open(folder / "servegen_rates_10min.csv.gz", "rt", encoding="utf-8") as file:
        rates = _rates(file, ("m-large", "m-small"))
    parts += [_day(model, *columns) for model, columns in rates.items()]
    return "\n".join(parts)


def _sizes(tokens_in: FloatArray, tokens_out: FloatArray, arrival_s: FloatArray) -> str:
    table = measure(tokens_in, tokens_out)
    gaps = np.diff(arrival_s)
    rate_hz, cv = 1 / gaps.mean(), gaps.std() / gaps.mean()
    facts = {"licence": "CC-BY-4.0"}
    numbers = [
        _number("input_probabilities", "1", table.input_probabilities),
        _number("input_tokens", "tokens", table.input_tokens, "quantiles of the input at input_probabilities"),
        _number("output_probabilities", "1", table.output_probabilities),
        _number(
            "output_tokens",
            "tokens",
            table.output_tokens,
            "a row per bin of the input (equally likely bins, shortest input first): quantiles of the output"
            " in that bin at output_probabilities",
        ),
        _number("rate_hz", "/s", round(rate_hz, 4), "mean over the trace's 3,501.7 s"),
        _number("interarrival_cv", "1", round(cv, 4), "near Poisson within the hour"),
    ]
    return _entry("azure-llm-conv-2023", "sizes", "Azure LLM conversation requests, 2023", facts, numbers, _AZURE)


def _hour(arrival_s: FloatArray) -> str:
    """Requests per full minute of the trace over their mean."""
    minutes = int(arrival_s[-1] // _MINUTE_S)
    counts = np.bincount((arrival_s // _MINUTE_S).astype(np.intp))[:minutes]
    note = f"requests in each of the {minutes} full minutes over their mean, from 2023-11-16 18:15:46 UTC"
    numbers = [
        _number("factors", "1", np.round(counts / counts.mean(), 4), note),
        _number("period_s", "s", minutes * _MINUTE_S, "the trace is no longer: the profile repeats after it"),
    ]
    title = "Minutes of the Azure LLM conversation trace, 2023"
    return _entry("azure-llm-conv-2023-hour", "profile", title, {"licence": "CC-BY-4.0"}, numbers, _AZURE)


def _rates(file: TextIO, models: tuple[str, ...]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """model -> (start of each window in s, requests/s in it)."""
    rows = list(csv.DictReader(file))
    return {
        model: (
            np.array([float(row["ts"]) for row in rows if row["model"] == model]),
            np.array([float(row["rate"]) for row in rows if row["model"] == model]),
        )
        for model in models
    }


def _day(model: str, start_s: FloatArray, rate_hz: FloatArray) -> str:
    """Mean rate in each hour of the day over the mean rate."""
    hour = (start_s // 3600).astype(np.intp) % 24
    factors = np.bincount(hour, rate_hz) / np.bincount(hour) / rate_hz.mean()
    days = round(float(start_s[-1] + 600) / 86400)
    note = f"mean over {days} days in 10-minute windows; hour 0 is the trace's first; it names no time zone"
    numbers = [
        _number("factors", "1", np.round(factors, 4), note),
        _number("rate_hz", "/s", round(float(rate_hz.mean()), 2), "mean over all days, all clients"),
    ]
    title = f"Hours of the day of {model}, a language model in Alibaba's cloud"
    return _entry(f"servegen-{model}", "profile", title, {"licence": "Apache-2.0"}, numbers, _SERVEGEN)


# ---------------------------------------------------------------- YAML


def _entry(name: str, kind: str, title: str, facts: dict[str, str], numbers: list[str], source: str) -> str:
    words = ", ".join(f"{key}: {fact}" for key, fact in facts.items())
    body = "".join(numbers).replace("SOURCE", f'"{source}"')
    return f"{name}:\n  kind: {kind}\n  title: {title}\n  is: {{{words}}}\n  numbers:\n{body}"


def _number(key: str, unit: str, value: float | FloatArray, note: str = "") -> str:
    """A measured number as YAML; lists break into lines of at most 110 characters."""
    if isinstance(value, float):
        text = f" {value:.10g}"
    else:
        rows = [f"[{', '.join(f'{x:.10g}' for x in row)}]" for row in np.atleast_2d(value)]
        inside = rows[0] if value.ndim == 1 else f"[{(',' + chr(10)).join(rows)}]"
        text = "\n" + "\n".join(
            textwrap.fill(line, 110, initial_indent=" " * 8, subsequent_indent=" " * 9) for line in inside.split("\n")
        )
    tail = f'      note: "{note}"\n' if note else ""
    head = f'    {key}:\n      unit: "{unit}"\n      grade: measured\n      source: SOURCE\n'
    return f"{head}{tail}      value:{text}\n"


if __name__ == "__main__":
    if "DCSIM_DATA" not in os.environ:
        sys.exit("set DCSIM_DATA to the folder with data/traces")
    sys.stdout.write(document(Path(os.environ["DCSIM_DATA"]) / "data" / "traces"))
