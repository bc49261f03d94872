# `make` lists the targets. Everything lives in .venv, which is made on first use from Python 3.11 or newer and
# brought up to date when pyproject.toml changes.

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
            $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# What `make run` runs, and where it writes.
SCENARIO ?= scenarios/hybrid_pilot.yaml
OUT      ?= runs/$(basename $(notdir $(SCENARIO)))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup run test test-all check format bench notebooks docs schema golden clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- set-up: one stamp in .venv for each set of packages

$(VENV)/pyvenv.cfg:
	@if test -z "$(PYTHON)"; then \
	  echo "dcsim needs Python 3.11 or newer; found: $$(python3 --version 2>&1 || true). make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "dcsim needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0])'
	@echo "making $(VENV) with $(PYTHON), once"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed-core: pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "installing dcsim into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev $(VENV)/installed-docs $(VENV)/installed-notebooks: $(VENV)/installed-%: pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "installing dcsim[$*] into $(VENV)"
	@$(PIP) --editable '.[$*]'
	@touch $@ $(VENV)/installed-core

setup: $(VENV)/installed-dev ## install dcsim and the tools for working on it

# ---------------------------------------------------------------- use

run: $(VENV)/installed-core ## simulate a day of the pilot data center and write its report (SCENARIO=..., OUT=...)
	@$(BIN)/dcsim run $(SCENARIO) --report --out $(OUT)

bench: $(VENV)/installed-core ## jobs per second and memory, beside a bare event loop and plain SimPy
	@$(BIN)/dcsim bench

# ---------------------------------------------------------------- check

test: $(VENV)/installed-dev ## the test suite, without the tests that take minutes
	@$(BIN)/python -m pytest -q --numprocesses 2

test-all: $(VENV)/installed-dev ## every test, in one process, with coverage
	@$(BIN)/python -m coverage run --source dcsim -m pytest -q -m ""
	@$(BIN)/python -m coverage report --skip-covered --sort cover

check: $(VENV)/installed-dev ## style, layout, types, and which folder may import which
	@status=0; \
	for command in "ruff check ." "ruff format --check ." mypy lint-imports; do \
	  echo "-- $$command"; $(BIN)/$$command || status=1; \
	done; exit $$status

format: $(VENV)/installed-dev ## lay out the code as `make check` wants it
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

# ---------------------------------------------------------------- make what is kept in the repository

schema: $(VENV)/installed-core ## write docs/schema/scenario.json and the tables in docs/reference
	@$(BIN)/dcsim schema > docs/schema/scenario.json.new
	@mv docs/schema/scenario.json.new docs/schema/scenario.json
	@$(BIN)/python docs/scripts/reference.py

golden: $(VENV)/installed-dev ## write anew the summaries and printed examples that tests compare with; look at the diff
	@$(BIN)/python tests/scenarios/golden.py
	@$(BIN)/python tests/docs/examples.py

notebooks: $(VENV)/installed-notebooks ## write notebooks/*.ipynb from their scripts, and run them
	@$(BIN)/python docs/scripts/notebooks.py

docs: $(VENV)/installed-docs ## build the documentation into site/; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

clean: ## remove .venv, caches and built documentation; run folders stay
	@rm -rf $(VENV) site dist .benchmarks .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find dcsim tests benchmarks docs notebooks scenarios -name __pycache__ -type d -prune -exec rm -rf {} +
