# Everything that a developer runs. Each target first sets up what it needs in .venv,
# and does so again only when pyproject.toml or the pinned versions have changed.

VENV := .venv
BIN := $(VENV)/bin

# A command such as python3.13 may exist and still fail, as one of pyenv's does when
# its version is not active. So each candidate has to run to be chosen.
CANDIDATES := python3.13 python3.12 python3.11 python3
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for candidate in $(CANDIDATES); do \
	"$$candidate" -c '$(USABLE)' >/dev/null 2>&1 && echo "$$candidate" && break; \
	done)

# Twice quiet: errors only.
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
	--root-user-action=ignore

# More arguments, such as: make test ARGS="-k stamp -x", make chaos ARGS="--rounds 20"
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test chaos bench lint format types docs ci clean

help:  ## Show these lines
	@echo "Usage: make TARGET"
	@echo
	@sed -n 's/^\([a-z]*\):.*##/  \1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

demo: $(VENV)/.ready-tests  ## Walk an example application through its migrations
	@$(BIN)/python scripts/demo

test: $(VENV)/.ready-tests  ## Run the tests on SQLite, and on servers that answer
	@$(BIN)/python -m pytest -n auto $(ARGS)

chaos: $(VENV)/.ready-tests  ## Injure upgrades at random; ARGS="--help" tells the options
	@PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

bench: $(VENV)/.ready-tests  ## Measure, beside the peers; ARGS="--help" tells the options
	@PYTHONPATH=benchmarks:tests $(BIN)/python tests/with_servers.py \
		$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/.ready-lint  ## Check style, formatting and the order of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.ready-lint  ## Repair style and formatting where that is possible
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(VENV)/.ready-typing  ## Check types, and that every public name has one
	@$(BIN)/mypy
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 PATH="$(CURDIR)/$(BIN):$$PATH" \
		pyright --verifytypes flask_alembic --ignoreexternal

docs: $(VENV)/.ready-docs  ## Build the documentation in docs/_build/html
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html \
		docs docs/_build/html
	@echo "Built docs/_build/html/index.html"

ci:  ## Run everything that has to pass before a change is merged
	@.ci/run

clean:  ## Remove .venv, caches and builds
	@rm -rf $(VENV) .benchmarks dist docs/_build .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	@find src tests benchmarks examples docs -name __pycache__ -prune -exec rm -rf {} +

# One stamp a dependency group: `make test` does not wait for the tools of the others.
$(VENV)/.ready-%: pyproject.toml constraints/test.txt | $(VENV)/.pip
	@echo "Installing the group $* into $(VENV) ..."
	@$(PIP) --constraint constraints/test.txt --group $* --editable .
	@touch $@

# `pip install --group` needs pip 25.1; a new environment often has an older one.
$(VENV)/.pip:
	@test -n "$(PYTHON)" || { \
		echo "No Python 3.11 or newer with venv found; name one: make PYTHON=..."; \
		exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --upgrade "pip>=25.1"
	@touch $@
