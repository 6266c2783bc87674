# Highwater: every line sets up what it needs. `make help` lists them.

PYTHON ?= python3
PORT ?= 8000
# The tests wait for servers more than they compute.
WORKERS ?= 3
UPGRADE ?= --upgrade
BIN := .venv/bin
PIP_FLAGS := --quiet --disable-pip-version-check --no-input --require-hashes
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run demo test check bench lock translations clean

help: ## List these lines.
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .venv/.base .venv-barman/.barman ## Build the environment, and nothing else.

run: setup ## Start an empty, usable installation; Ctrl-C stops it.
	@exec $(BIN)/python manage.py run --port $(PORT)

demo: setup ## The same, and play the story of a lost database on it.
	@exec $(BIN)/python manage.py run --port $(PORT) --story

test: .venv/.test .venv-barman/.barman .venv/.browser .venv/.pgbackrest ## Run every test on real servers.
	@exec $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: .venv/.dev ## Format, lint, types, contracts between the rooms, migrations.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	git ls-files -z --cached --others --exclude-standard 'templates/*.html' | xargs -0r $(BIN)/djade --check --target-version 5.2
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

bench: .venv/.test .venv-barman/.barman .venv-peers/.peers ## Measure, and print ratios.
	@exec $(BIN)/python -m benchmarks $(ARGS)

lock: .venv/.dev ## Lock requirements/*.in anew, newest versions that fit; UPGRADE= keeps them.
	$(COMPILE) $(UPGRADE) -o requirements/base.txt requirements/base.in
	$(COMPILE) $(UPGRADE) -c requirements/base.txt -o requirements/test.txt requirements/test.in
	$(COMPILE) $(UPGRADE) -c requirements/test.txt -o requirements/dev.txt requirements/dev.in
	$(COMPILE) $(UPGRADE) --override requirements/barman-without.txt -o requirements/barman.txt requirements/barman.in
	$(COMPILE) $(UPGRADE) -o requirements/peers.txt requirements/peers.in

translations: .venv/.test ## Find customers' words anew, update and compile locale/; LANGUAGES=xx adds.
	@$(BIN)/python -m translations $(LANGUAGES)

clean: ## Remove the environments. What you entered stays, under var/.
	rm -rf .venv .venv-barman .venv-peers .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/.made .venv-barman/.made .venv-peers/.made:
	@.ci/make-venv $(PYTHON) $(@D)
	@touch $@

.venv/.%: requirements/%.txt .venv/.made
	@echo "Installing requirements/$*.txt"
	@.venv/bin/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@

# Without the dependencies that pip would resolve: the lock is complete, and leaves psycopg2 out.
.venv-barman/.barman: requirements/barman.txt .venv-barman/.made
	@echo "Installing requirements/barman.txt"
	@.venv-barman/bin/python -m pip install $(PIP_FLAGS) --no-deps -r $<
	@touch $@

.venv-peers/.peers: requirements/peers.txt .venv-peers/.made
	@echo "Installing requirements/peers.txt"
	@.venv-peers/bin/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@

# Without a browser its tests are skipped, loudly; if CI is set, they fail.
.venv/.browser: .venv/.test
	@.ci/find-browser && touch $@ || true

# Without pgBackRest the same holds for the tests of its engine.
.venv/.pgbackrest: .venv/.test
	@.ci/find-pgbackrest && touch $@ || true
