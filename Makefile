# make demo | make test | make run SYMBOLS=BTC/USD | make ui [DEMO=1] | make check | make bench [ARGS=--quick] | make prove
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BENCH_VENV := .venv-bench
BENCH_BIN := $(BENCH_VENV)/bin
BENCH_INSTALLED := $(BENCH_VENV)/.installed
VECTORBT_VENV := .venv-bench-vectorbt
VECTORBT_INSTALLED := $(VECTORBT_VENV)/.installed

export DAGSTER_DISABLE_TELEMETRY := true
export MLFLOW_DISABLE_TELEMETRY := true
export NO_MKDOCS_2_WARNING := 1

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

# An environment with exactly what a lock names, and with this project too: $(INSTALL) FOLDER LOCK PYTHON [project] [kernels]
INSTALL := scripts/install-environment

.PHONY: help setup demo run ui test check lint types layers format docs docs-serve screenshots prove prove-statistics bench test-peers lock clean

help:  ## Show the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(INSTALLED)  ## Create the environment in .venv, development tools included.

$(INSTALLED): requirements.lock requirements-installer.lock pyproject.toml
	@$(INSTALL) $(VENV) requirements.lock $(PYTHON) project kernels
	@touch $@

demo: setup  ## The whole graph on simulated bars, then a day of live decisions in a sandbox: no keys, no network.
	@$(DEMO_ENV) $(BIN)/algo-pipeline research --until 2023-12-31
	@$(DEMO_ENV) $(BIN)/algo-pipeline rehearse

run: setup  ## The same on real Binance data: make run SYMBOLS=BTC/USD
	@$(RUN_ENV) $(BIN)/algo-pipeline research

ui: setup  ## Dagster and MLflow web UIs and the live dashboard on 127.0.0.1; DEMO=1 shows the demo's.
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

docs: setup  ## Write the generated tables of the documentation anew, and build its site in site/.
	@$(BIN)/python -m algo_pipeline_tests.generate_docs
	@$(BIN)/mkdocs build --quiet
	@echo "site/index.html"

docs-serve: setup  ## Show the documentation site on 127.0.0.1:8000 while its pages are edited.
	@$(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000

screenshots: setup  ## Take the pictures of README and documentation anew, from the finished demo; needs chromium.
	@$(DEMO_ENV) $(BIN)/python -m algo_pipeline_tests.screenshots $(ARGS)

prove-statistics: setup  ## Prove that luck is not called skill, on 500 null markets and as many with a signal: ARGS=--quick
	@$(BIN)/python -m algo_pipeline_tests.proofs statistics $(ARGS)

prove: setup  ## Prove parity, exactly-once, latency, leakage, statistics and monitoring: make prove ARGS="exactly-once --quick"
	@$(BIN)/python -m algo_pipeline_tests.proofs $(ARGS)

bench: test-peers  ## Measure beside the rivals: make bench ARGS="--quick --only backtest,sweep"
	@$(BENCH_BIN)/python -m benchmarks $(ARGS)

test-peers: $(BENCH_INSTALLED) $(VECTORBT_INSTALLED)  ## Test that the rivals reach the same figures by the same rules.
	@$(BENCH_BIN)/python -m pytest benchmarks

$(BENCH_INSTALLED): requirements-bench.lock requirements-installer.lock pyproject.toml
	@$(INSTALL) $(BENCH_VENV) requirements-bench.lock $(PYTHON) project
	@touch $@

$(VECTORBT_INSTALLED): requirements-bench-vectorbt.lock requirements-installer.lock
	@$(INSTALL) $(VECTORBT_VENV) requirements-bench-vectorbt.lock $(PYTHON)
	@touch $@

lock: setup  ## Pin the dependencies anew.
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-strip-extras --no-header --no-annotate --quiet --upgrade -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra server --constraints requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-strip-extras --no-header --no-annotate --quiet --upgrade -o requirements-server.lock
	@$(BIN)/uv pip compile pyproject.toml --extra bench --constraints requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-strip-extras --no-header --no-annotate --quiet --upgrade -o requirements-bench.lock
	@$(BIN)/uv pip compile --group pyproject.toml:vectorbt --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-strip-extras --no-header --no-annotate --quiet --upgrade -o requirements-bench-vectorbt.lock
	@echo uv | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-strip-extras --no-header --no-annotate --quiet --upgrade -o requirements-installer.lock

clean:  ## Remove the environments and caches; artifacts and mlruns stay.
	@rm -rf $(VENV) $(BENCH_VENV) $(VECTORBT_VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build site *.egg-info
