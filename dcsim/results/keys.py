"""Every key of the summary (`summary.json`): its unit and what it means. Documentation and tests read this list.

NAME stands for a name of the scenario, BOUNDARY and PART for those that the meaning lists. A key whose unit ends in `*`
is a distribution: a mapping with mean, p50, p95 and p99. The blocks from `energy` to `cost` are those of all sites
together; `sites.NAME` holds the same blocks for each site.
"""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """One key of the summary, with its blocks before it, separated by dots."""

    path: str
    unit: str
    meaning: str


_COUNTS = (
    ("submitted", "1", "jobs that arrived before the end of the run"),
    ("completed", "1", "jobs that ended in time for the end of the run"),
    ("rejected", "1", "jobs turned away because their stream's queue was full"),
    ("failed", "1", "jobs given up for good; 0 while outages only restart jobs"),
    ("queued", "1", "jobs that waited at the end of the run"),
    ("running", "1", "jobs that ran at the end of the run"),
    ("throughput_per_s", "1/s", "completed jobs over simulated time"),
    ("slo_attainment", "1", "share of the submitted jobs that met their objective; absent without one"),
    ("wait_s", "s *", "first start - arrival"),
    ("latency_s", "s *", "end - arrival (sojourn time)"),
)

_STREAMS = (
    ("goodput_per_s", "1/s", "jobs that met their objective over simulated time"),
    ("ttft_s", "s *", "time to first token: first output token - arrival"),
    ("tpot_s", "s *", "time per output token after the first"),
    ("itl_s", "s *", "time between two tokens of a request on the pools that serve it, every token of theirs counted"),
    (
        "energy_j_per_job.BOUNDARY.marginal",
        "J",
        "what a completed job added, up to chip, board, node, rack or facility",
    ),
    ("energy_j_per_job.BOUNDARY.loaded", "J", "the same with its share of idle power, hosts, losses and cooling"),
    ("carbon_g_per_job", "g", "operational carbon of the loaded energy at the facility"),
    ("water_ml_per_job", "mL", "water withdrawn on site for it"),
    ("embodied_g_per_job", "g", "embodied carbon of the pools' equipment over the run, by device-seconds in use, CO2e"),
    ("embodied_low_g_per_job", "g", "its low bound"),
    ("embodied_high_g_per_job", "g", "its high bound"),
    ("embodied_by_use_g_per_job", "g", "the same had the equipment been in use all its life: without idle time"),
    ("cost_usd_per_job", "USD", "running cost by facility energy, equipment by device-seconds in use"),
)

_TENANTS = (
    ("device_hours", "h", "device-hours that its jobs kept in use"),
    ("energy_kwh", "kWh", "loaded energy of its jobs up to the facility boundary"),
)

SUMMARY = (
    *(Key(f"jobs.{name}", unit, meaning) for name, unit, meaning in _COUNTS),
    Key("jobs.dropped_rows", "1", "trace rows that became no job: unusable in their format, or after the end"),
    *(Key(f"streams.NAME.{name}", unit, meaning) for name, unit, meaning in (*_COUNTS, *_STREAMS)),
    *(Key(f"tenants.NAME.{name}", unit, meaning) for name, unit, meaning in (*_COUNTS, *_TENANTS)),
    Key("pools.NAME.devices", "1", "devices of the pool; a node without devices counts as one"),
    Key("pools.NAME.utilisation", "1", "device-seconds in use over those there are"),
    Key("pools.NAME.energy_kwh", "kWh", "at the output of the nodes' power supplies"),
    Key("pools.NAME.idle_energy_kwh", "kWh", "what the pool would have used without a job"),
    Key("pools.NAME.availability", "1", "node-seconds not in an outage over those there are"),
    Key("pools.NAME.itl_s", "s *", "time between two tokens of a request on its replicas, every token counted"),
    Key("pools.NAME.preemptions", "1", "times that a full cache put a sequence of its replicas back"),
    Key("pools.NAME.recomputed_tokens", "1", "tokens that its replicas computed again after that"),
    Key("energy.compute_kwh", "kWh", "at the output of the nodes' power supplies"),
    Key("energy.it_kwh", "kWh", "at the racks' meters: with power supplies and switches"),
    Key("energy.facility_kwh", "kWh", "at the utility meter; with solar power or a battery, what the building used"),
    Key("energy.by_part.PART", "kWh", "losses and cooling: psu, switches, ups, transformer, plant, battery"),
    *(
        Key(f"energy.{name}_kwh", "kWh", f"{meaning}; absent without solar power or a battery")
        for name, meaning in (
            ("grid_import", "taken from the grid"),
            ("grid_export", "given to the grid"),
            ("solar", "solar power used, stored or exported"),
            ("curtailed", "solar power that nobody took"),
            ("battery_in", "into the batteries, at their terminals"),
            ("battery_out", "out of the batteries, at their terminals"),
            ("battery_stored", "in the batteries at the end more than at the start"),
        )
    ),
    Key("energy.reused_kwh", "kWh", "heat given away for use outside; absent without any"),
    Key("power.it_mean_kw", "kW", "mean power at the racks' meters"),
    Key("power.it_peak_kw", "kW", "highest interval mean of it"),
    Key("power.facility_peak_kw", "kW", "highest interval mean at the utility meter"),
    Key("power.grid_peak_kw", "kW", "highest interval mean of the import; absent without solar power or a battery"),
    Key("efficiency.pue", "1", "power usage effectiveness: facility over IT energy"),
    Key("efficiency.itue", "1", "IT over compute energy: power supplies and switches"),
    Key("efficiency.tue", "1", "ITUE x PUE: facility over compute energy"),
    Key("efficiency.erf", "1", "energy reuse factor: reused over facility energy"),
    Key("efficiency.ere", "1", "energy reuse effectiveness: PUE x (1 - ERF)"),
    Key("efficiency.mlc", "1", "mechanical load component: plant over IT energy (ASHRAE 90.4)"),
    Key("efficiency.elc", "1", "electrical loss component: losses of UPS, transformer, battery over these and IT"),
    Key("water.withdrawn_l", "L", "water taken on site"),
    Key("water.consumed_l", "L", "part of it that evaporates or drifts away"),
    Key("water.source_l", "L", "water used to generate the electricity"),
    Key("water.wue_l_per_kwh", "L/kWh", "water usage effectiveness: withdrawn over IT energy"),
    Key("water.wue_source_l_per_kwh", "L/kWh", "the same with the water of generation"),
    Key("carbon.operational_kg", "kg", "of the electricity, location based, CO2e"),
    Key("carbon.cue_kg_per_kwh", "kg/kWh", "carbon usage effectiveness: operational over IT energy"),
    Key("carbon.embodied_kg", "kg", "of the equipment, in equal parts over its life, CO2e"),
    Key("carbon.embodied_low_kg", "kg", "its low bound"),
    Key("carbon.embodied_high_kg", "kg", "its high bound"),
    Key("carbon.embodied_by_part.PART", "kg", "its parts: racks, replaced, building, onsite (solar plant and battery)"),
    Key("carbon.total_kg", "kg", "operational and embodied"),
    Key("cost.energy_usd", "USD", "electricity"),
    Key("cost.demand_usd", "USD", "demand charge on the highest quarter of an hour"),
    Key("cost.water_usd", "USD", "water withdrawn and sewage"),
    Key("cost.capex_amortised_usd", "USD", "equipment in the racks, as an annuity; absent where a price is unknown"),
    Key("cost.maintenance_usd", "USD", "upkeep of that equipment"),
    Key("cost.building_usd", "USD", "annuity and upkeep of building, power and cooling, where a site names `building`"),
    Key("cost.onsite_usd", "USD", "annuity and upkeep of solar plants and batteries; absent without any"),
    Key("cost.heat_usd", "USD", "what reused heat earns, negative; absent without any"),
    Key("cost.total_usd", "USD", "all of the above; the building is in it only where a site names it"),
    Key("cost.usd_per_1000_jobs", "USD", "total over completed jobs"),
    Key("cost.usd_per_million_tokens", "USD", "cost of the streams that generate tokens, over their tokens"),
    *(
        Key(f"per_year.{name}", unit, f"{meaning} times a year over the length of the run")
        for name, unit, meaning in (
            ("energy_kwh", "kWh", "energy.facility_kwh"),
            ("water_l", "L", "water.withdrawn_l"),
            ("operational_kg", "kg", "carbon.operational_kg"),
            ("embodied_kg", "kg", "carbon.embodied_kg"),
            ("embodied_low_kg", "kg", "carbon.embodied_low_kg"),
            ("embodied_high_kg", "kg", "carbon.embodied_high_kg"),
            ("cost_usd", "USD", "cost.total_usd"),
        )
    ),
    Key("trust.unfinished", "1", "jobs queued or running at the end"),
    Key("trust.never_startable", "1", "jobs that fit no node; a run with one is refused, so 0"),
    Key("trust.offered_load", "1", "largest share of a pool's devices, cores or memory that the jobs ask for"),
    Key("trust.estimate_share", "1", "catalog numbers behind the answer that are estimates, over all of them"),
    Key("trust.recalled_share", "1", "the same for numbers quoted from memory"),
    Key("trust.energy_ledger_error", "1", "largest relative gap between a pool's meters and its idle power and jobs"),
    Key("trust.warnings", "text", "what a reader should know before quoting the run"),
    Key("run.seed", "1", "root of every random stream"),
    Key("run.simulated_s", "s", "simulated time"),
    Key("run.wall_s", "s", "time that the run took"),
    Key("run.events", "1", "arrivals and completions"),
    Key("run.jobs_per_wall_s", "1/s", "completed jobs over the time that the run took"),
    Key("run.version", "text", "version of dcsim"),
)
