# make verify   set up and run the default study
# make test     set up and run lint, type checks and all tests
#
# PYTHON=...  the interpreter to use (3.12 or later; found by itself otherwise)
# RANKS=...   the number of processes of `make verify`
# STUDY=...   another study for `make verify`: a file or a shipped name

VENV := .venv
BIN := $(VENV)/bin
PROBE := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 12))
PYTHON ?= $(shell for candidate in python3.12 python3.13 python3.14 python3 python \
	"$$(pyenv root 2>/dev/null)"/versions/3.1[2-9].*/bin/python \
	"$$HOME"/.pyenv/versions/3.1[2-9].*/bin/python; do \
	"$$candidate" -c '$(PROBE)' >/dev/null 2>&1 && echo "$$candidate" && break; done)
RANKS ?= $(shell test "$$(getconf _NPROCESSORS_ONLN)" -gt 1 && echo 2 || echo 1)
STUDY ?=

.PHONY: verify test lint types road pytest pytest-mpi clean

verify: $(VENV)/.installed
	$(BIN)/mpirun -n $(RANKS) $(BIN)/fokkerplanck verify $(STUDY)

test: lint types road pytest pytest-mpi

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

road: $(VENV)/.installed-test
	$(BIN)/lint-imports

pytest: $(VENV)/.installed-test
	$(BIN)/python -m pytest

pytest-mpi: $(VENV)/.installed-test
	$(BIN)/mpirun -n 2 $(BIN)/python -m pytest
	$(BIN)/mpirun -n 3 $(BIN)/python -m pytest

$(VENV)/.installed: pyproject.toml $(VENV)/.created
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/.created
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.installed

$(VENV)/.created:
	$(if $(PYTHON),,$(error no Python 3.12 or later (with venv) on the PATH or under pyenv; \
		install one, or pass PYTHON=/path/to/python))
	"$(PYTHON)" -m venv --clear $(VENV)
	touch $@

clean:
	rm -rf $(VENV) build results
