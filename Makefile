# The interpreter that .venv is made with; 3.11 or newer.
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
UV ?= $(BIN)/uv

# Tests wait for processes as much as they work.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')

# Whatever decides what an editable install looks like.
BUILD_INPUTS := pyproject.toml hatch_build.py protos/generate.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo run test test-long mutation bench bench-full lint proto dictionary lock clean

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/run proto ## Run the demonstration
	@$(BIN)/loyalty demo

run: $(VENV)/run proto ## Run the server
	@$(BIN)/loyalty serve

test: $(VENV)/dev proto ## Run the tests
	@$(BIN)/python -m pytest -n $(WORKERS)

test-long: $(VENV)/dev proto ## Run the tests that take minutes, and the one that takes an hour
	@$(BIN)/python -m pytest -m long -n $(WORKERS)
	@$(MAKE) --no-print-directory mutation

mutation: $(VENV)/dev proto ## Change decisions and states in thousands of ways: do the tests notice?
	@rm -rf mutants
	@nice -n 19 $(BIN)/mutmut run
	@$(BIN)/python -m tests.mutation

bench: $(VENV)/run proto ## Run the benchmark in its short form
	@$(BIN)/loyalty bench

bench-full: $(VENV)/run proto ## Run the benchmark in full
	@$(BIN)/loyalty bench --full

lint: $(VENV)/dev proto ## Check style, types, imports and protocol files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint

proto: $(VENV)/run ## Generate the protocol code in build/proto
	@$(BIN)/python protos/generate.py

dictionary: $(VENV)/run proto ## Write projections/DICTIONARY.md anew
	@$(BIN)/python -m adapters.postgres.dictionary

# Keeps the versions that are locked already where they still fit;
# LOCK_FLAGS=--upgrade takes the newest ones.
lock: $(VENV)/dev ## Write requirements/*.txt anew from pyproject.toml
	@echo "Locking the dependencies"
	@$(UV) pip compile $(LOCK_FLAGS) --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --all-extras --group build \
		--output-file requirements/dev.txt pyproject.toml
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --extra demo --group build --constraints requirements/dev.txt \
		--output-file requirements/run.txt pyproject.toml

clean: ## Remove everything that can be made again, .venv included
	rm -rf $(VENV) build dist mutants .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. requirements/dev.txt contains all of requirements/run.txt in
# the same versions, so $(VENV)/dev stands for both.

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11; choose another one with PYTHON=..." >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run: requirements/run.txt $(BUILD_INPUTS) | $(BIN)/pip
	@echo "Installing what running needs (requirements/run.txt)"
	@$(PIP) install --require-hashes --requirement requirements/run.txt
	@echo "Installing loyalty-ledger itself (editable)"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: requirements/dev.txt requirements/run.txt $(BUILD_INPUTS) | $(BIN)/pip
	@echo "Installing what development needs (requirements/dev.txt)"
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@echo "Installing loyalty-ledger itself (editable)"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(VENV)/run $@
