# Everything runs from a private environment in .venv; nothing else on the machine is touched.
.DEFAULT_GOAL := help
.PHONY: help install dev up format check test bench quality lock

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
SLOW := e2e or faults or quality or slow
# For every system and Python we support, without a word about the machine that wrote them.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links pyproject.toml
export PYTHON

help: ## show this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

install: ## install what the service needs into .venv
	@deploy/install.sh runtime

dev: install ## install what development needs, too
	@deploy/install.sh dev

up: install ## start everything in this terminal
	@exec $(BIN)/paperfeed up

format: dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: dev ## the fast inner loop: format, lint, types, layers, migrations, docs, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -n auto -m "not ($(SLOW))"

test: check ## everything, with real processes that are killed
	$(PYTEST) -n 0 -m "$(SLOW)"

bench: dev ## measure
	@for file in tests/benchmarks/[a-z]*.py; do \
		name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m tests.benchmarks.$$name || exit 1; \
	done

quality: dev ## ranking quality on the shared data sets
	$(PYTEST) -n 0 -m quality

lock: dev ## write the lock files anew
	$(COMPILE) -o requirements/runtime.txt
	$(COMPILE) --group dev -c requirements/runtime.txt -o requirements/dev.txt
