# Fettle's commands; `make` alone lists them. Each one sets up by itself what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# pyright comes with its own node and script; it is not to ask the network for newer ones
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help setup lock upgrade fmt lint lint-style lint-types lint-imports lint-names test faults bench dashboards run demo check clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$$/make \1|\2/p' Makefile | \
		while IFS='|' read -r command does; do printf '  %-18s %s\n' "$$command" "$$does"; done

setup: $(READY) ## make .venv and install what requirements.lock names; nothing to do when it is in step

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Fettle needs Python 3.11 or newer: make PYTHON=python3.12 setup")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) what requirements.lock names; the first time this takes a minute or two"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q monitor tickets # an editable install compiles nothing
	@touch $@

LOCK := $(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	--system-certs --quiet --custom-compile-command "make lock" --output-file requirements.lock

lock: $(READY) ## bring requirements.lock in step with pyproject.toml, keeping versions where it can
	$(LOCK)

upgrade: $(READY) ## lock the newest versions that pyproject.toml allows
	$(LOCK) --upgrade

fmt: $(READY) ## put the code into shape
	$(BIN)/ruff check --fix-only --exit-zero
	$(BIN)/ruff format

lint: lint-style lint-types lint-imports lint-names ## look at the code: ruff, pyright, import contracts, house rules

lint-style: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

lint-types: $(READY)
	$(BIN)/pyright

lint-imports: $(READY)
	$(BIN)/lint-imports --no-logo

lint-names: $(READY)
	$(BIN)/python -m pytest --quiet tests/contract/test_house_rules.py

# Three processes on two cores: whoever waits for a service leaves its core to the others.
test: $(READY) ## run every test, on two cores
	$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder

faults: $(READY) ## stage our own faults on the real service: an hour, no part of the tests
	$(BIN)/python -m pytest tests/faults --override-ini=python_files='fault_*.py' -p no:randomly --capture=no

bench: $(READY) ## measure; no part of the tests
	$(BIN)/python -m pytest tests/bench --override-ini=python_files='bench_*.py' -p no:randomly --timeout=0 --capture=no

dashboards: $(READY) ## write the boards for Grafana anew; a test compares them
	$(BIN)/python -m dashboards.build

run: $(READY) ## start the service with config/fettle.yml
	$(BIN)/fettle run

demo: $(READY) ## start the service with demo sites to break and mend
	$(BIN)/fettle demo

check: lint test ## all that CI runs

clean: ## remove .venv and every cache
	rm -rf $(VENV) .import_linter_cache .hypothesis .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
