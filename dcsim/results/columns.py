"""Every column of every table: its unit and what it means. One row here is one output.

The run folder, the documentation and the tests read this list.
"""

from __future__ import annotations

from typing import NamedTuple

from dcsim.results.account import BOUNDARIES


class Column(NamedTuple):
    """One column of a table."""

    name: str
    kind: str
    """int, float, text or flag"""
    unit: str
    meaning: str
    optional: bool = False
    """left out of tables in which no row has it"""


_ENERGY = tuple(
    Column(f"energy_{boundary}_{sort}_j", "float", "J", f"{text} up to the {boundary} boundary")
    for boundary in BOUNDARIES
    for sort, text in (
        ("marginal", "energy that the job added"),
        ("loaded", "energy with its share of idle and overhead"),
    )
)

JOBS = (
    Column("job", "int", "", "number of the job in its run"),
    Column("site", "text", "", "site where it ran last"),
    Column("stream", "text", "", "stream it belongs to"),
    Column("pool", "text", "", "pool where it ran last"),
    Column("device", "text", "", "system where it ran last"),
    Column("family", "text", "", "gpu, neuromorphic, cpu or custom"),
    Column("arrival_s", "float", "s", "arrival from the start of the run"),
    Column("first_start_s", "float", "s", "first start of service"),
    Column("start_s", "float", "s", "last start of service"),
    Column("end_s", "float", "s", "end of service"),
    Column("wait_s", "float", "s", "first start - arrival"),
    Column("latency_s", "float", "s", "end - arrival"),
    Column("ttft_s", "float", "s", "first output token - arrival"),
    Column("tpot_s", "float", "s", "time per output token after the first"),
    Column("attempts", "int", "", "starts, the last one included"),
    Column("lost_s", "float", "s", "service that outages destroyed"),
    Column("busy_s", "float", "s", "device-seconds that it kept in use"),
    Column("status", "text", "", "completed, rejected, queued or running"),
    Column("slo_met", "flag", "", "whether it met its service-level objective; absent without one"),
    Column("trace_id", "float", "", "number of the job in its trace"),
    Column("input_tokens", "float", "", "prompt tokens"),
    Column("output_tokens", "float", "", "generated tokens"),
    Column("session", "float", "", "number of the conversation or user that it belongs to", True),
    Column("turn", "float", "", "number of the job in its session, from 1", True),
    Column("priority", "float", "", "priority that its trace gives it, higher first", True),
    Column("deadline_s", "float", "s", "time from arrival by which it had to end", True),
    Column("user", "text", "", "who submitted it", True),
    Column("tenant", "text", "", "group, account or virtual cluster that it belongs to", True),
    Column("queue", "text", "", "queue, partition or namespace in its trace", True),
    Column("kind", "text", "", "type of job, application or model in its trace", True),
    Column("outcome", "text", "", "how it ended where its trace was taken, or by the mix it was drawn from", True),
    Column("slo_class", "text", "", "service class", True),
    *_ENERGY,
)

ATTEMPTS = (
    Column("job", "int", "", "number of the job in its run"),
    Column("attempt", "int", "", "number of the start, from 1"),
    Column("pool", "text", "", "pool"),
    Column("device", "int", "", "number of the (first) device"),
    Column("start_s", "float", "s", "start of service"),
    Column("end_s", "float", "s", "end of this attempt, absent while it runs"),
    Column("work_s", "float", "s", "service had in this attempt"),
    Column("outcome", "text", "", "evicted, passed on (from a prefill to a decode pool), completed or running"),
)

RACKS = (
    Column("time_s", "float", "s", "start of the interval"),
    Column("site", "text", "", "site"),
    Column("rack", "text", "", "rack: group-number"),
    Column("group", "text", "", "rack group"),
    Column("pool", "text", "", "pool"),
    Column("system", "text", "", "what each node is"),
    Column("family", "text", "", "gpu, neuromorphic, cpu or custom"),
    Column("compute_w", "float", "W", "mean power at the output of the nodes' power supplies"),
    Column("it_w", "float", "W", "mean power at the rack's meter, the pool's part of the switches included"),
    Column("busy", "float", "1", "mean share of the devices in use"),
)

FACILITY = (
    Column("time_s", "float", "s", "start of the interval"),
    Column("site", "text", "", "site"),
    Column("it_w", "float", "W", "mean power of all racks at their meters"),
    Column("ups_w", "float", "W", "mean loss of the UPS"),
    Column("transformer_w", "float", "W", "mean loss of the transformer"),
    Column("plant_w", "float", "W", "mean power of cooling and everything else"),
    Column("facility_w", "float", "W", "mean power at the utility meter"),
    Column("grid_w", "float", "W", "mean power taken from the grid", True),
    Column("export_w", "float", "W", "mean power given to the grid", True),
    Column("solar_w", "float", "W", "mean solar power used, stored or exported", True),
    Column("battery_w", "float", "W", "mean power out of the battery, negative into it", True),
    Column("stored_j", "float", "J", "energy in the battery at the end of the interval", True),
    Column("water_l", "float", "L", "water withdrawn on site"),
    Column("carbon_g", "float", "g", "carbon of operation"),
    Column("cost_usd", "float", "USD", "cost of the energy"),
)
