# Needs Python 3.11+, make and git. `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup run test check bench lock

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: .venv/ready ## create .venv from requirements.lock

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

run: setup ## start the whole portal on this machine, with a demo account
	@$(BIN)/billing run

test: setup ## every test, on embedded engines; ENGINES=docker or ENGINES=external for others
	$(BIN)/python -m pytest $(if $(ENGINES),--engines=$(ENGINES))

check: setup ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup ## speed beside the raw limits, as ratios
	$(BIN)/python -m tests.bench

lock: ## compile both requirements.lock (deploy's without development) anew from pyproject.toml (needs uv)
	uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 \
	  --group dev pyproject.toml --output-file requirements.lock
	uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --python-version 3.11 \
	  --constraint requirements.lock pyproject.toml --output-file deploy/requirements.lock
