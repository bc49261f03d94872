"""What draws the columns of a stream's jobs beside those of its trace: tokens, run times, mixes of jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from dcsim.catalog import Catalog
from dcsim.errors import ScenarioError
from dcsim.scenario import check_laws
from dcsim.scenario.laws import Times, Tokens
from dcsim.scenario.shape import dotted
from dcsim.scenario.sizes import GivenService, Sizes
from dcsim.scenario.streams import Stream
from dcsim.seeds import generator
from dcsim.workload import laws, sizes
from dcsim.workload.block import FloatArray
from dcsim.workload.mixes import JobMix

#: Gives so many rows of some columns.
Draw = Callable[[int], dict[str, FloatArray]]


def column_draws(stream: Stream, name: str, catalog: Catalog, seed: int, replication: int) -> list[Draw]:
    """Draws of the stream's columns, each from a random stream of its own. Raises ScenarioError or CatalogError."""
    draws: list[Draw] = []
    if stream.sizes is not None:
        draws.append(_tokens(stream.sizes, name, catalog, generator(seed, replication, f"stream/{name}/sizes")))
    service = stream.service
    if service is not None and service.distribution != "trace":
        random = generator(seed, replication, f"stream/{name}/service")
        if service.distribution == "mix":
            mix = mix_of(service, catalog)
            draws.append(lambda count: mix.draw(count, random))
        else:
            law = law_of(service, f"streams.{name}.service", catalog)
            draws.append(lambda count: {"run_s": law.draw(random, count)})
    return draws


def labels(stream: Stream, catalog: Catalog) -> Mapping[str, tuple[str, ...]]:
    """Names of the columns of kind label that `columns` draws."""
    if stream.service is None or stream.service.distribution != "mix":
        return {}
    return {"state": mix_of(stream.service, catalog).outcomes}


def law_of(spec: Times | Tokens, where: str, catalog: Catalog) -> laws.Law:
    """The law at `where` of a scenario. Raises ScenarioError for a key that it lacks, CatalogError for its table."""
    for problem in check_laws.problems((where,), spec):
        raise ScenarioError(f"{dotted(problem.path)}: {problem.reason}")
    return laws.of(spec, catalog)


def mix_of(service: GivenService, catalog: Catalog) -> JobMix:
    """The mix that a service of distribution `mix` names; CatalogError when it is not there or not sound."""
    return JobMix.of(catalog.get(str(service.table), "mix"))


def most_tokens(spec: str | Sizes, catalog: Catalog) -> int:
    """Input and output tokens of the longest request; CatalogError for an unsound table."""
    if isinstance(spec, str):
        return sizes.SizeTable.of(catalog.get(spec, "sizes")).most_tokens
    return sum(_most(law) for law in (spec.input_tokens, spec.output_tokens))


def _most(law: int | Tokens) -> int:
    if isinstance(law, int):
        return law
    return int(np.ceil(law.mean or 0.0)) if law.distribution == "fixed" else int(law.most or 0.0)


def _tokens(spec: str | Sizes, name: str, catalog: Catalog, random: np.random.Generator) -> Draw:
    if isinstance(spec, str):
        table = sizes.SizeTable.of(catalog.get(spec, "sizes"))
        return lambda count: table.draw(count, random)
    where = f"streams.{name}.sizes"
    if isinstance(spec.input_tokens, int) and isinstance(spec.output_tokens, int):
        tokens_in, tokens_out = spec.input_tokens, spec.output_tokens
        return lambda count: sizes.fixed(tokens_in, tokens_out, count)
    keys = ("input_tokens", "output_tokens")
    drawn = [_law(getattr(spec, key), f"{where}.{key}", catalog) for key in keys]
    if spec.correlation is not None:
        pair = sizes.Correlated(drawn[0], drawn[1], spec.correlation)
        return lambda count: pair.draw(random, count)
    return lambda count: {key: sizes.whole(law.draw(random, count)) for key, law in zip(keys, drawn, strict=True)}


def _law(given: int | Tokens, where: str, catalog: Catalog) -> laws.Law:
    if isinstance(given, int):
        given = Tokens(distribution="fixed", mean=float(given))
    return law_of(given, where, catalog)
