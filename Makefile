# Two commands matter: `make run` starts the product, `make test` runs every check.
# Both set up what they need: a virtual environment, pinned packages and, for tests, a browser.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# All that is needed is listed, with its hash: there is nothing to be resolved.
PIP_OPTIONS := -qq --disable-pip-version-check --require-hashes --no-deps
# Where it is set, every one of hundreds of processes would compile all of our code again.
unexport PYTHONDONTWRITEBYTECODE

TESTS := $(BIN)/python -m pytest -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run test fuzz test-real test-cluster load check fix migrate requirements audit sbom texts docs screenshots browser clean

help: ## Show what there is
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run-stamp ## Start Greenroom: database, migrations, first superuser, web
	@exec $(BIN)/python -m app run

test: check browser ## Run every check and test
	$(TESTS) -m "not real_data and not browser"
	$(TESTS) tests/browser

fuzz: $(VENV)/.dev-stamp ## Ask the API at random for about an hour (FUZZ_EXAMPLES for each operation)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-400} $(BIN)/python -m pytest -s tests/contract

test-real: $(VENV)/.dev-stamp ## Check against the published runs in ../shared/data
	$(TESTS) tests/real_data

test-cluster: browser ## Run the browser tests against two web processes, two workers and Redis
	GREENROOM_CLUSTER=1 $(TESTS) tests/browser

load: $(VENV)/.dev-stamp ## Compare requests per second with a bare FastAPI app
	$(BIN)/python -m tests.load

check: $(VENV)/.dev-stamp ## Format, lint, types and import contracts, without tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/.dev-stamp ## Format, and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

migrate: $(VENV)/.run-stamp ## Bring the database to this version's schema
	@$(BIN)/python -m app migrate

requirements: $(VENV)/.dev-stamp ## Compile the pinned requirements from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra dev $(COMPILE_OPTIONS) -o requirements-dev.txt
	$(BIN)/uv pip compile pyproject.toml -c requirements-dev.txt $(COMPILE_OPTIONS) -o requirements.txt

COMPILE_OPTIONS := --universal --python-version 3.11 --generate-hashes --quiet \
	--no-header --no-emit-index-url --no-emit-find-links

audit: $(VENV)/.dev-stamp ## Ask whether a pinned package has a known vulnerability
	$(BIN)/pip-audit --requirement requirements.txt --require-hashes --disable-pip --strict

sbom: $(VENV)/.dev-stamp ## Write the software bill of materials to build/sbom.cdx.json
	SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} \
		$(BIN)/python -m tests.supply_chain.bom build/sbom.cdx.json

texts: $(VENV)/.dev-stamp ## Find the texts to be translated; update and compile what locale/ has
	$(BIN)/pybabel -q extract -F pyproject.toml -k "_ lazy mark lazy_count:1,2" --add-location=file \
		--sort-output --no-wrap --omit-header -o locale/greenroom.pot .
	@for po in locale/*/LC_MESSAGES/greenroom.po; do [ -f "$$po" ] || continue; \
		tag=$$(basename $$(dirname $$(dirname $$po))); \
		$(BIN)/pybabel -q update -D greenroom -i locale/greenroom.pot -d locale -l $$tag --no-wrap --no-fuzzy-matching --ignore-obsolete && \
		$(BIN)/pybabel -q compile -D greenroom -d locale -l $$tag --statistics; done

docs: $(VENV)/.dev-stamp ## Write the pages of the manual that are made from the code
	$(BIN)/python -m app docs

screenshots: browser ## Photograph every page, on an installation of its own, into build/screenshots
	$(BIN)/python -m tests.browser.gallery

browser: $(VENV)/.dev-stamp ## Make sure that there is a Chromium for the browser tests
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium…"; apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; \
	else echo "Installing playwright's chromium…"; $(BIN)/playwright install chromium; fi

clean: ## Remove the virtual environment and caches; data/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/bin/python:
	@echo "Making the virtual environment…"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Greenroom needs Python 3.11 or newer; set PYTHON=python3.x"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run-stamp: requirements.txt | $(VENV)/bin/python
	@echo "Installing packages (once, about half a minute)…"
	@$(BIN)/pip install $(PIP_OPTIONS) -r requirements.txt
	@touch $@

$(VENV)/.dev-stamp: requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing packages for development (once)…"
	@$(BIN)/pip install $(PIP_OPTIONS) -r requirements-dev.txt
	@touch $@ $(VENV)/.run-stamp
