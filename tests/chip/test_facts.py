"""Words of a chip file: what is not understood is refused, not taken for absent."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dcsim import catalog
from dcsim.chip import ChipSpec
from dcsim.chip.facts import check_facts, words_of
from dcsim.errors import CatalogError

GOOD = {"mode": "barrier", "nets": ["snn"], "precision": ["int8"], "learning": False, "design": "digital"}


def chip(**changes):
    facts = {key: value for key, value in (GOOD | changes).items() if value is not None}
    return SimpleNamespace(name="mine", facts=facts)


def test_every_chip_of_the_catalog_is_understood():
    known = catalog.load()
    for name in known.names("chip"):
        check_facts(known.get(name, "chip"))


def test_what_may_be_said():
    check_facts(chip(overrun="stretch", io="between steps", schedule="all cores on one layer", crossbar=True))
    check_facts(chip(precision=["binary", "ternary", "fp32", "bf16", "uint4"], vendor="someone"))
    check_facts(chip(precision=None))
    assert words_of(chip(nets="snn"), "nets") == ["snn"]
    assert words_of(chip(), "forms") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning": "yes"}, "is.learning is 'yes', want true or false"),
        ({"shared_kernels": "true"}, "is.shared_kernels is 'true', want true or false"),
        ({"crossbar": ["a"]}, r"is.crossbar is \['a'\], want true or false"),
        ({"learnign": True}, "is.learnign is unknown; did you mean 'learning'"),
        ({"shared_kernel": True}, "is.shared_kernel is unknown; did you mean 'shared_kernels'"),
        ({"overrun": "refused"}, "is.overrun is 'refused'; did you mean 'refuse'"),
        ({"overrun": True}, "is.overrun is True"),
        ({"io": "between"}, "is.io is 'between'"),
        ({"io": ["between steps"]}, "is.io is "),
        ({"schedule": "all cores on a layer"}, "is.schedule is 'all cores on a layer'; did you mean 'all cores on one"),
        ({"nets": ["snn", "ssn"]}, "is.nets has 'ssn'; did you mean 'snn'"),
        ({"nets": []}, "is.nets has no word, want some of snn"),
        ({"nets": None}, "is.nets has no word, want some of snn"),
        ({"nets": [True]}, "is.nets has 'True'"),
        ({"precision": ["8 bit"]}, "is.precision has '8 bit', want binary, ternary, or int"),
        ({"precision": ["int"]}, "is.precision has 'int'"),
    ],
)
def test_what_is_not_understood_is_refused(changes, message):
    with pytest.raises(CatalogError, match=f"chip mine: {message}") as caught:
        check_facts(chip(**changes))
    assert "\n" not in str(caught.value)


def test_a_chip_file_is_checked(tmp_path):
    from importlib import resources

    text = resources.files("dcsim.cli").joinpath("chip_template.yaml").read_text(encoding="utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("NAME", "mine").replace("learning: false", "learning: no way"))
    with pytest.raises(CatalogError, match=r"is\.learning is .no way., want true or false"):
        ChipSpec.of(catalog.load([path]).get("mine"))
