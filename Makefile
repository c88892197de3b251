# Everything runs from a private environment in .venv; nothing else on the machine is touched.
.DEFAULT_GOAL := help
.PHONY: help install dev embeddings up format check types fast-tests test real-processes long-computations test-embeddings hub-clients bench bench-ranking quality screenshots lock

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
TESTS := deploy/tests.sh $(BIN)/python# NAME ARGUMENTS...: what fails is run once more, alone
PROCESSES := (e2e or faults or browser)
SLOW := $(PROCESSES) or quality or slow or compat
EMBEDDINGS := .venv-embeddings/bin
# For every system and Python we support, without a word about the machine that wrote them.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links
export PYTHON TORCH
# Hundreds of processes import the same modules: compiled once, they start a third faster.
unexport PYTHONDONTWRITEBYTECODE

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' Makefile

install: ## install what the service needs into .venv
	@deploy/install.sh runtime

dev: install ## install what development needs, too
	@deploy/install.sh dev

embeddings: install ## install the sentence encoder, with everything else, into .venv-embeddings (TORCH=another build)
	@deploy/embeddings.sh runtime

hub-clients: dev ## install the released Hugging Face clients that tests drive, each into an environment of its own
	@deploy/hub-clients.sh

up: install ## start everything in this terminal
	@exec $(BIN)/paperfeed up

format: dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: dev ## the fast inner loop: format, lint, types, layers, migrations, docs, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory -j 2 types fast-tests

types: # beside the fast tests, which leave a processor idle now and then
	$(BIN)/mypy

fast-tests:
	$(TESTS) fast -n auto -m "not ($(SLOW) or embeddings)"

test: check hub-clients ## everything, with real processes that are killed, and real sentence encoders and clients
	@$(MAKE) --no-print-directory -j 2 --output-sync=target real-processes long-computations

real-processes: # they wait more than they compute
	$(TESTS) processes -n 0 -m "$(PROCESSES) and not embeddings"

long-computations: # at a lower priority, so that what is promised in seconds beside them is not held up
	nice -n 10 $(TESTS) long -n 0 -m "($(SLOW)) and not ($(PROCESSES)) and not embeddings"
	@nice -n 10 $(MAKE) --no-print-directory test-embeddings

test-embeddings: dev ## what needs a real sentence encoder
	@deploy/embeddings.sh dev
	deploy/tests.sh $(EMBEDDINGS)/python embeddings -n 0 -m embeddings tests/embeddings

bench: dev ## the service under load, side by side with plain routes (needs wrk): table, JSON and plot in reports/
	$(BIN)/python -m tests.benchmarks.service

bench-ranking: dev ## what lists, fits and imports cost
	@for file in $$(grep -l __main__ tests/benchmarks/[a-z]*.py); do \
		name=$$(basename $$file .py); echo "== $$name"; $(BIN)/python -m tests.benchmarks.$$name || exit 1; \
	done

quality: dev ## ranking quality on the shared data sets: the checks, then the table of the README
	$(PYTEST) -n 0 -m "quality and not embeddings"
	@deploy/embeddings.sh dev
	$(EMBEDDINGS)/python -m pytest -n 0 -m "quality and embeddings" tests/embeddings
	$(BIN)/python -m tests.benchmarks.quality

screenshots: dev ## pictures of the main pages, into docs/screenshots (needs Chromium)
	$(BIN)/python -m tests.screenshots

lock: dev ## write the lock files anew
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	for client in newest 1 0; do $(COMPILE) requirements/hub-$$client.in -o requirements/hub-$$client.txt || exit 1; done
