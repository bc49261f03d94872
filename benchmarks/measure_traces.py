"""Measures the workload tables of the catalog from public traces and prints one of its two files.

    DCSIM_DATA=FOLDER python benchmarks/measure_traces.py requests > dcsim/catalog/data/requests.yaml
    DCSIM_DATA=FOLDER python benchmarks/measure_traces.py jobs > dcsim/catalog/data/jobs.yaml

FOLDER/data/traces holds azure_llm_2023_conv.csv.gz (AzureLLMInferenceTrace_conv of Azure/AzurePublicDataset),
mooncake_conversation.jsonl.gz (kvcache-ai/Mooncake, FAST25), servegen_rates_10min.csv.gz (alibaba/ServeGen: requests/s
summed over all clients of a model in windows of 10 minutes), philly_sia.csv.gz (siasosp23/artifacts, from
msr-fiddle/philly-traces), openb_pod_list_default.csv and alibaba_dlrm_2025.csv.gz (alibaba/clusterdata);
FOLDER/data/gpu holds acme_cluster_summary.csv (InternLM/AcmeTrace).
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from dcsim.workload import traces
from dcsim.workload.sizes import measure

FloatArray = npt.NDArray[np.float64]
Columns = Mapping[str, FloatArray]

_SCRIPT = "measured by benchmarks/measure_traces.py"
_HEAD = """\
# {what}
# Printed by benchmarks/measure_traces.py; do not edit by hand.
"""
_AZURE = (
    "Azure LLM inference trace 2023, conversation (Azure/AzurePublicDataset; Patel et al., Splitwise,"
    f" ISCA 2024), CC-BY-4.0; {_SCRIPT}"
)
_MOONCAKE = f"Mooncake conversation trace (kvcache-ai/Mooncake; Qin et al., FAST 2025), Apache-2.0; {_SCRIPT}"
_SERVEGEN = f"ServeGen client rates (alibaba/ServeGen, Xiang et al., NSDI 2026), Apache-2.0; {_SCRIPT}"
_PHILLY = (
    "Microsoft Philly (msr-fiddle/philly-traces, CC-BY-4.0; Jeon et al., ATC 2019) as selected by Sia"
    f" (siasosp23/artifacts); {_SCRIPT}"
)
_ACME = f"cluster summary of InternLM/AcmeTrace, CC-BY-4.0 (Hu et al., NSDI 2024); {_SCRIPT}"
_OPENB = f"openb pods (alibaba/clusterdata, cluster-trace-gpu-v2023; Weng et al., FGD, ATC 2023); {_SCRIPT}"
_DLRM = f"recommendation instances (alibaba/clusterdata, cluster-trace-gpu-v2025; Prism, NSDI 2025); {_SCRIPT}"

#: ServeGen's models and what they are.
_MODELS = {
    "m-large": "a large language model",
    "m-mid": "a middle-sized language model",
    "m-small": "a small language model",
    "mm-image": "a language model that reads images",
    "deepseek-r1": "a reasoning language model",
}
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86400.0
#: Run times have long tails that hold most of the time: the grid is fine there.
_RUN_PROBABILITIES = np.array(
    [0, 0.01, *(k / 40 for k in range(1, 40)), 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999, 0.9995, 1]
)
#: A coarser one for fewer than so many jobs, so that their table is no copy of them.
_FEW = 1000
_FEW_PROBABILITIES = np.array([0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1])
#: Numbers of GPUs; those in one group are few and share their run times.
_PHILLY_GPUS = ((1,), (2,), (4,), (8,), (16,), (32,))
_OPENB_GPUS = ((1,), (2, 4, 8))


def requests(data: Path) -> str:
    """Text of requests.yaml: sizes of language-model requests and how their rates vary."""
    folder = data / "traces"
    azure = traces.read(folder / "azure_llm_2023_conv.csv.gz", "azure-llm")
    mooncake = traces.read(folder / "mooncake_conversation.jsonl.gz", "mooncake")
    gaps = np.diff(azure.arrival_s)
    parts = [
        _HEAD.format(what="Sizes of language-model requests, and how their rates vary."),
        _sizes("azure-llm-conv-2023", "Azure LLM conversation requests, 2023", azure.columns)
        + _number("rate_hz", "/s", round(1 / gaps.mean(), 4), "mean over the trace's 3,501.7 s")
        + _number("interarrival_cv", "1", round(gaps.std() / gaps.mean(), 4), "near Poisson within the hour"),
        _minutes(azure.arrival_s),
    ]
    parts = [_sourced(part, _AZURE) for part in parts]
    parts.append(_sourced(_long(mooncake.columns, mooncake.arrival_s), _MOONCAKE))
    parts += [_sourced(_served(model, what, folder), _SERVEGEN) for model, what in _MODELS.items()]
    return "\n".join(parts)


def jobs(data: Path) -> str:
    """Text of jobs.yaml: batch jobs and instances of clusters."""
    folder = data / "traces"
    parts = [_HEAD.format(what="Batch jobs and instances of clusters: devices, run times, hours of the day.")]
    parts.append(_philly(folder / "philly_sia.csv.gz", data / "gpu" / "acme_cluster_summary.csv"))
    parts.append(_sourced(_single(folder / "philly_sia.csv.gz"), _PHILLY))
    parts.append(_sourced(_submissions(folder / "philly_sia.csv.gz"), _PHILLY))
    parts += [_sourced(part, _OPENB) for part in _pods(folder / "openb_pod_list_default.csv")]
    parts.append(_sourced(_instances(folder / "alibaba_dlrm_2025.csv.gz"), _DLRM))
    return "\n".join(parts)


# ---------------------------------------------------------------- requests


def _sizes(name: str, title: str, columns: Columns, licence: str = "CC-BY-4.0") -> str:
    table = measure(columns["input_tokens"], columns["output_tokens"])
    rows = (
        "a row per bin of the input (equally likely bins, shortest input first): quantiles of the output"
        " in that bin at output_probabilities"
    )
    return (
        _entry(name, "sizes", title, licence=licence)
        + _number("input_probabilities", "1", table.input_probabilities)
        + _number("input_tokens", "tokens", table.input_tokens, "quantiles of the input at input_probabilities")
        + _number("output_probabilities", "1", table.output_probabilities)
        + _number("output_tokens", "tokens", table.output_tokens, rows)
    )


def _long(columns: Columns, arrival_s: FloatArray) -> str:
    hits = columns["prefix_tokens"].sum() / columns["input_tokens"].sum()
    return (
        _sizes("mooncake-conv-2024", "Mooncake conversation requests, long prompts", columns, "Apache-2.0")
        + _number("rate_hz", "/s", round((len(arrival_s) - 1) / arrival_s[-1], 4), "mean over the trace's hour")
        + _number("prefix_share", "1", round(hits, 4), "of the prompt tokens, seen before: an endless prefix cache")
    )


def _minutes(arrival_s: FloatArray) -> str:
    """Requests per full minute of the trace over their mean."""
    minutes = int(arrival_s[-1] // _MINUTE_S)
    counts = np.bincount((arrival_s // _MINUTE_S).astype(np.intp))[:minutes]
    note = f"requests in each of the {minutes} full minutes over their mean, from 2023-11-16 18:15:46 UTC"
    title = "Minutes of the Azure LLM conversation trace, 2023"
    return (
        _entry("azure-llm-conv-2023-hour", "profile", title, licence="CC-BY-4.0")
        + _number("factors", "1", np.round(counts / counts.mean(), 4), note)
        + _number("period_s", "s", minutes * _MINUTE_S, "the trace is no longer: the profile repeats after it")
    )


def _served(model: str, what: str, folder: Path) -> str:
    """Hours of the day of one of ServeGen's models; days and trend where there are two weeks."""
    path = folder / "servegen_rates_10min.csv.gz"
    table = traces.rates(path, "servegen-rates", traces.Reading(select=model))
    rate_hz = table.rate_hz
    start_s = table.interval_s * np.arange(len(rate_hz), dtype=np.float64)
    days = round(len(rate_hz) * table.interval_s / _DAY_S)
    over = f"mean over {days} days" if days > 1 else "one day"
    note = f"{over} in 10-minute windows; hour 0 is the trace's first; it names no time zone"
    text = (
        _entry(
            f"servegen-{model}",
            "profile",
            f"Hours of the day of {model}, {what} in Alibaba's cloud",
            licence="Apache-2.0",
        )
        + _number("factors", "1", _hour_factors(start_s, rate_hz), note)
        + _number("rate_hz", "/s", round(float(rate_hz.mean()), 2), f"{over}, all clients")
        + _number("peak", "1", round(float(rate_hz.max() / rate_hz.mean()), 3), "largest window over the mean")
    )
    if days < 2:
        return text
    by_day = rate_hz.reshape(days, -1).mean(axis=1) / rate_hz.mean()
    week = by_day.reshape(-1, 7).mean(axis=0)
    trend = np.polyfit(np.arange(days), by_day, 1)[0]
    return (
        text
        + _number("day_factors", "1", np.round(by_day, 4), "mean of each day over the mean of all, first day first")
        + _number(
            "week_factors",
            "1",
            np.round(week, 4),
            "mean of days k and k + 7 over the mean of all; the trace does not say which day is Monday",
        )
        + _number(
            "trend", "1", round(float(trend), 5), "least-squares slope of the daily means over their mean, per day"
        )
    )


def _hour_factors(start_s: FloatArray, weight: FloatArray) -> FloatArray:
    """Mean weight of the windows that start in each hour of the day, over the mean of the 24; shape (24,)."""
    hour = (start_s // _HOUR_S).astype(np.intp) % 24
    means = np.bincount(hour, weight, minlength=24) / np.bincount(hour, minlength=24)
    return np.asarray(np.round(means / means.mean(), 4))


# ---------------------------------------------------------------- jobs


def _philly(path: Path, summary: Path) -> str:
    jobs_of, clusters = traces.read(path, "philly-sia"), pd.read_csv(summary, index_col="id")
    ends = clusters.loc["Philly", ["complete_rate_gpu", "cancel_rate_gpu", "fail_rate_gpu"]].to_numpy(float)
    facts = {"licence": "CC-BY-4.0", "outcomes": '"completed|cancelled|failed"'}
    rows = sum(len(group) for group in _PHILLY_GPUS)
    ended = _number(
        "outcome_share",
        "1",
        np.tile(np.round(ends / ends.sum(), 4), (rows, 1)),
        "of all GPU jobs of the whole log: not known by size, so the same in each row",
    )
    mean_run_s, mean_gpus = clusters.loc["Philly", ["avg_run_time_gpu", "avg_gpu_num"]].to_numpy(float)
    log = _number("log_mean_run_s", "s", float(mean_run_s), "of the whole log, which the table selects from")
    log += _number("log_mean_processors", "1", float(mean_gpus), "of the whole log")
    return _sourced(
        _entry("philly-jobs-2017", "mix", "Training jobs of Microsoft Philly, 2017", **facts)
        + _by_size(jobs_of.columns, _PHILLY_GPUS, _RUN_PROBABILITIES),
        _PHILLY,
    ) + _sourced(ended + log, _ACME)


def _by_size(columns: Columns, groups: Sequence[tuple[int, ...]], grid: FloatArray) -> str:
    """Sizes of jobs, their shares and, at `grid`, quantiles of the run times of the group of each."""
    sizes = np.array([size for group in groups for size in group], float)
    counts = np.array([(columns["processors"] == size).sum() for size in sizes], float)
    rows = [
        _run_times(columns["run_s"][np.isin(columns["processors"], group)], grid) for group in groups for _ in group
    ]
    shared = [f"{' and '.join(map(str, group))} together, as they are few" for group in groups if len(group) > 1]
    left = int(len(columns["run_s"]) - counts.sum())
    note = f"of {len(columns['run_s']):,} jobs on GPUs; {left} of other sizes are left out"
    return (
        _number("processors", "1", sizes, "GPUs")
        + _number("share", "1", np.round(counts / counts.sum(), 5), note)
        + _number("probabilities", "1", grid)
        + _number(
            "run_s",
            "s",
            np.stack(rows),
            "; ".join(["a row per number of GPUs: quantiles of the run time", *shared]),
        )
    )


def _run_times(run_s: FloatArray, grid: FloatArray) -> FloatArray:
    """Quantiles of run times at `grid`; of few jobs, linear between those of the coarser one."""
    known = grid if len(run_s) >= _FEW else _FEW_PROBABILITIES
    return np.asarray(np.round(np.interp(grid, known, np.quantile(run_s, known, method="inverted_cdf"))))


def _single(path: Path) -> str:
    columns = traces.read(path, "philly-sia").columns
    run_s = columns["run_s"][columns["processors"] == 1]
    values = np.quantile(run_s, _RUN_PROBABILITIES, method="inverted_cdf")
    return (
        _entry("philly-run-1-gpu", "quantiles", "Run times of the one-GPU jobs of Philly, 2017", licence="CC-BY-4.0")
        + _number("probabilities", "1", _RUN_PROBABILITIES)
        + _number("values_s", "s", values, f"of {len(run_s):,} jobs")
    )


def _submissions(path: Path) -> str:
    moments = pd.to_datetime(pd.read_csv(path)["timestamp"])
    hours = np.bincount(moments.dt.hour, minlength=24)
    days = np.bincount(moments.dt.day_of_week, minlength=7)
    span_s = (moments.max() - moments.min()).total_seconds()
    return (
        _entry(
            "philly-jobs-2017-day",
            "profile",
            "Hours of the day of submissions to Microsoft Philly, 2017",
            licence="CC-BY-4.0",
        )
        + _number("factors", "1", np.round(hours / hours.mean(), 4), "local time of the cluster")
        + _number("week_factors", "1", np.round(days / days.mean(), 4), "Monday first")
        + _number("rate_hz", "/s", float(f"{len(moments) / span_s:.4g}"), "mean over 109 days, all jobs selected")
    )


def _pods(path: Path) -> list[str]:
    pods, ran = traces.items(path, "openb"), traces.read(path, "openb")
    gpus = np.array([name == "gpu" for name in pods.labels["device_kind"]])[pods.columns["device_kind"].astype(int)]
    part = pods.columns["share"][gpus & (pods.columns["share"] < 1.0)]
    whole = gpus & (pods.columns["processors"] == 1) & (pods.columns["share"] == 1.0)
    gpu = ran.labels["device_kind"].index("gpu")
    on_gpus = {key: values[ran.columns["device_kind"] == gpu] for key, values in ran.columns.items()}
    grid = np.array([0, *(k / 40 for k in range(1, 40)), 0.99, 1])
    return [
        _entry("openb-pods-2023", "mix", "Pods of Alibaba's openb GPU cluster, 2023", licence="none stated")
        + _by_size(on_gpus, _OPENB_GPUS, _FEW_PROBABILITIES),
        _entry("openb-gpu-share", "quantiles", "Shares of a GPU held by openb pods", licence="none stated")
        + _number("probabilities", "1", grid)
        + _number("values", "1", np.quantile(part, grid, method="inverted_cdf"), f"of {len(part):,} pods")
        + _number("pods_share", "1", round(len(part) / len(pods), 4), f"of all {len(pods):,} pods")
        + _number("cpu_only_share", "1", round(float((~gpus).mean()), 4), "of all pods")
        + _number("whole_gpu_share", "1", round(float(whole.mean()), 4), "of all pods: one whole GPU"),
    ]


def _instances(path: Path) -> str:
    every, lived = traces.items(path, "alibaba-dlrm"), traces.read(path, "alibaba-dlrm")
    roles = np.array(every.labels["kind"])[every.columns["kind"].astype(int)]
    run_s = lived.columns["run_s"]
    text = (
        _entry(
            "dlrm-instances-2025",
            "quantiles",
            "Lifetimes of instances of recommendation models, Alibaba 2025",
            licence="none stated",
        )
        + _number("probabilities", "1", _RUN_PROBABILITIES)
        + _number(
            "values_s",
            "s",
            np.quantile(run_s, _RUN_PROBABILITIES, method="inverted_cdf"),
            f"of the {len(run_s):,} of {len(every):,} instances that began and ended within 31 days",
        )
        + _number("lived_share", "1", round(len(run_s) / len(every), 4), "of all instances: the others are longer")
    )
    for role, what in (("HN", "beside a GPU"), ("CN", "without GPU")):
        rows = roles == role
        text += _number(f"{role.lower()}_share", "1", round(float(rows.mean()), 4), f"of the instances: {what}")
        text += _number(
            f"{role.lower()}_memory_bytes", "B", float(np.median(every.columns["memory_bytes"][rows])), "median request"
        )
        text += _number(
            f"{role.lower()}_cores", "cores", float(np.median(every.columns["cores"][rows])), "median request"
        )
    return text


# ---------------------------------------------------------------- YAML


def _entry(name: str, kind: str, title: str, **facts: str) -> str:
    words = ", ".join(f"{key}: {fact}" for key, fact in facts.items())
    return f"{name}:\n  kind: {kind}\n  title: {title}\n  is: {{{words}}}\n  numbers:\n"


def _sourced(text: str, source: str) -> str:
    return text.replace("SOURCE", f'"{source}"')


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
    return f'    {key}:\n      unit: "{unit}"\n      grade: measured\n      source: SOURCE\n{tail}      value:{text}\n'


if __name__ == "__main__":
    documents = {"requests": requests, "jobs": jobs}
    if "DCSIM_DATA" not in os.environ:
        sys.exit("set DCSIM_DATA to the folder with data/traces")
    if len(sys.argv) != 2 or sys.argv[1] not in documents:
        sys.exit(f"want one of: {', '.join(documents)}")
    sys.stdout.write(documents[sys.argv[1]](Path(os.environ["DCSIM_DATA"]) / "data"))
