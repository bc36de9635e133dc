# Each target first sees to the machine and to .venv (.ci/machine, .ci/environment); nothing else needs to be set up.
# GNU make 3.81 is enough, which macOS has.
BIN := .venv/bin
# tests at once: more than there are cores take as long, as each daemon that they start keeps one busy
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN)
unexport DAGSTER_HOME PYTHONHOME PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help demo ui test crash lint types fmt bench docs build clean environment

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

demo: environment ## a lake from examples/, materialised by Dagster in demo-lake/, and a copy of it
	@$(BIN)/python examples/demo.py

ui: environment ## Dagster's web UI on the demo's lake
	@PYTHONPATH=$(CURDIR)/examples LAKEHOUSE_STAGES=papertrail.stages LAKEHOUSE_REMOTES=copy=demo-lake-copy $(BIN)/lakehouse --uri demo-lake up

test: environment ## every test
	@sh .ci/machine browser && $(BIN)/python -m pytest -n $(WORKERS) tests

crash: environment ## kill imports, merges, compactions and vacuums some hundred times each, at any moment
	@LAKEHOUSE_CRASH_ROUNDS=$${LAKEHOUSE_CRASH_ROUNDS:-300} $(BIN)/python -m pytest -n $(WORKERS) tests/crash

lint: environment ## style, format, and which layer may import which
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: environment ## mypy, strict
	@$(BIN)/mypy

fmt: environment ## what ruff can put right by itself
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: environment ## the measurements
	@$(BIN)/python benchmarks/run.py

docs: environment ## the reference, the tutorial's answers and the pictures, made anew
	@$(BIN)/python docs/reference.py && $(BIN)/python docs/consoles.py && $(BIN)/python docs/picture.py

build: environment ## the wheel, in dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove what these targets made; a lake of your own stays
	@rm -rf .venv dist demo-lake demo-lake-copy .dagster .tmp_dagster_home_* .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

environment: ## .venv
	@sh .ci/environment
