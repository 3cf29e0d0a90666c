# make demo | make test | make run SYMBOLS=BTC/USD | make ui [DEMO=1] | make check | make bench
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

export DAGSTER_DISABLE_TELEMETRY := true
export MLFLOW_DISABLE_TELEMETRY := true

DEMO_DIR := artifacts/demo
DEMO_ENV := ALGO_TRADER_ARTIFACTS_DIR=$(DEMO_DIR) \
	ALGO_TRADER_MLFLOW_TRACKING_URI=sqlite:///$(DEMO_DIR)/mlruns/mlflow.db \
	ALGO_TRADER_DATA_SOURCE=simulated \
	ALGO_TRADER_SYMBOLS=BTC/USD,ETH/USD \
	ALGO_TRADER_SIMULATED_SEED=7 \
	ALGO_TRADER_SIMULATED_SIGNAL_STRENGTH=0.3 \
	ALGO_TRADER_PROMOTION_POLICY=always
RUN_ENV := $(if $(SYMBOLS),ALGO_TRADER_SYMBOLS="$(SYMBOLS)")
UI_ENV := $(if $(DEMO),$(DEMO_ENV),$(RUN_ENV))

.PHONY: help setup demo run ui test check lint types layers format docs bench lock clean

help:  ## Show the targets.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(INSTALLED)  ## Create the environment in .venv, development tools included.

$(INSTALLED): requirements.lock requirements-installer.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"Python 3.11 to 3.13 is needed, found {v[0]}.{v[1]}. Pass another one: make PYTHON=python3.12 …")'
	@echo "Setting up $(VENV) (first time only) …"
	@$(PYTHON) -m venv $(VENV) || { echo "The environment could not be created. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-installer.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m algo_pipeline.cli.warm_up
	@touch $@

demo: setup  ## The whole research graph on simulated bars: no keys, no network.
	@$(DEMO_ENV) $(BIN)/algo-pipeline research

run: setup  ## The same on real Binance data: make run SYMBOLS=BTC/USD
	@$(RUN_ENV) $(BIN)/algo-pipeline research

ui: setup  ## Dagster and MLflow web UIs on 127.0.0.1; DEMO=1 shows the demo's.
	@$(UI_ENV) exec $(BIN)/algo-pipeline ui

test: setup  ## Run the test suite.
	@$(BIN)/pytest -n 2

check: setup lint types layers test  ## Everything that must be green: ruff, mypy, import-linter, tests.

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

layers: setup
	@$(BIN)/lint-imports

format: setup  ## Format the code and fix what can be fixed.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: setup  ## Write the generated tables of the documentation anew.
	@$(BIN)/python -m algo_pipeline_tests.generate_docs

bench: setup  ## Print the benchmark tables.
	@for name in features research backtest; do echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

lock: setup  ## Pin the dependencies anew.
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --quiet --upgrade -o requirements.lock
	@echo uv | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --quiet --upgrade -o requirements-installer.lock

clean:  ## Remove the environment and caches; artifacts and mlruns stay.
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
