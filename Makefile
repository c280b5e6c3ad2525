# Everything a newcomer needs: `make run`, `make test`. The rest is for whoever works on the code.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
EXTRA  ?= dev
JOBS   ?= 2

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help setup run test check format unit tartiflette docs bench verify-kill verify-audit verify-graph verify-decisions verify-events verify-cluster verify clean lock

help:           ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(STAMP) ## install everything into .venv

$(STAMP): requirements/runtime.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "DictaMesh needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d; try: make PYTHON=python3.11" % v)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP)   ## the example: its three sources and the runtime, in the foreground
	@exec $(BIN)/python examples/run.py $(ARGS)

check: $(STAMP) ## lint, types, import rules, freshness of what is generated
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/generate.py --check

format: $(STAMP) ## rewrite the code in the house style
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

test: check     ## all checks, all tests
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

unit: $(STAMP)  ## the fast tests
	@$(BIN)/python -m pytest tests/unit tests/architecture tests/cases $(ARGS)

tartiflette: $(STAMP) ## add the alternative GraphQL engine (Python 3.11, a C++ compiler)
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/tartiflette-build.txt
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install --quiet --require-hashes --no-deps --no-build-isolation -r requirements/tartiflette.txt

docs: $(STAMP)  ## rewrite the generated reference pages and schemas
	@$(BIN)/python tools/generate.py

bench: $(STAMP) ## figures of load, validate, compile, start and requests
	@$(BIN)/python -m tests.bench $(ARGS)

verify-kill: $(STAMP) ## 50 rounds of kill -9 with writes under way
	@DICTAMESH_KILL_ROUNDS=50 $(BIN)/python -m pytest tests/e2e/test_kill.py tests/e2e/test_kill_catalog.py -s $(ARGS)

verify-audit: $(STAMP) ## 10,000 audited reads under 20 kill -9, and tampering that must be found
	@DICTAMESH_AUDIT_EVENTS=10000 DICTAMESH_AUDIT_KILLS=20 $(BIN)/python -m pytest tests/e2e/test_kill_audit.py tests/integration/audit/test_tampering.py -s $(ARGS)

verify-graph: $(STAMP) ## walks over a million records and five million relations, beside SQL by hand
	@$(BIN)/python -m tests.bench.graph $(ARGS)

verify-decisions: $(STAMP) ## decisions on 20 fields x 100 rows with 500 policies, beside Cedar
	@$(BIN)/python -m tests.bench decisions $(ARGS)

verify-events: $(STAMP) ## 100,000 changes through 10 kill -9 of everything on both buses, beside Debezium, and relay and subscribers
	@$(BIN)/python -m tests.bench.events $(ARGS)

verify-cluster: $(STAMP) ## 20,000 events through three nodes, of which one and then two are killed with -9
	@DICTAMESH_CLUSTER_EVENTS=20000 $(BIN)/python -m pytest tests/integration/bus/test_cluster.py -s $(ARGS)

verify: bench verify-kill verify-audit verify-graph verify-events verify-cluster

lock:           ## resolve the dependencies anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet pyproject.toml -o requirements/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet --group dev pyproject.toml -c requirements/runtime.txt -o requirements/dev.txt

clean:          ## remove what make made
	rm -rf $(VENV) .dictamesh .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
