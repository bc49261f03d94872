"""What a job may bring besides its arrival: the columns of a `Block`, by name.

A source of jobs has those that it knows and leaves the others out. A column whose kind is a label holds numbers of
names; the names stand in `Block.labels`.
"""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """One column of a block of jobs."""

    unit: str
    """unit of its numbers; `1` for counts and shares, `label` for numbers of names"""
    means: str


COLUMNS: dict[str, Column] = {
    "run_s": Column("s", "time that the job runs once it has started, ended at the time requested"),
    "requested_s": Column("s", "longest run time that its user asked for"),
    "wait_s": Column("s", "time from arrival to first start that was observed where the trace was taken"),
    "processors": Column("1", "devices that the job holds at once; of a CPU-only job, its cores"),
    "share": Column("1", "of one device that the job holds, above 0 to 1; others may hold the rest"),
    "nodes": Column("1", "nodes that the job is spread over"),
    "cores": Column("1", "host cores"),
    "memory_bytes": Column("B", "host memory"),
    "input_tokens": Column("1", "prompt tokens of a language-model request"),
    "output_tokens": Column("1", "tokens that it generates"),
    "prefix_tokens": Column("1", "prompt tokens at its start that an endless cache would have seen before"),
    "images": Column("1", "images in a prompt"),
    "priority": Column("1", "higher runs first"),
    "deadline_s": Column("s", "time from arrival by which the job must have ended"),
    "trace_id": Column("1", "number of the job in its trace"),
    "session": Column("1", "number of the conversation or user that it belongs to"),
    "turn": Column("1", "number of the request in its session, from 1"),
    "user": Column("label", "who submitted it"),
    "tenant": Column("label", "group, account, organisation or virtual cluster that pays"),
    "queue": Column("label", "queue, partition or namespace"),
    "kind": Column("label", "what it is: type of job, application or model, as the trace names it"),
    "state": Column("label", "how it ended where the trace was taken"),
    "device_kind": Column("label", "device kinds that it accepts, joined by `|`"),
    "slo_class": Column("label", "service class"),
}
