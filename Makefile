# SPDX-License-Identifier: Apache-2.0
# Everything is done in .venv, from the locks in requirements/. PYTHON=/path/to/python chooses the interpreter.

.DEFAULT_GOAL := help
SHELL := /bin/sh
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCKED := $(PIP) install --quiet --require-hashes
QUICK_TESTS := tests/unit tests/property tests/simulation
BENCHMARK_RESULTS := benchmark-results.json
# Docker does as well; with podman the health check is kept in Docker's format only.
ENGINE := podman
IMAGE := button-connector:latest
BUILD_IMAGE := $(ENGINE) build $(if $(findstring podman,$(ENGINE)),--format docker)
SBOM := build/sbom.cdx.json

.PHONY: help demo test pythons check fuzz benchmark image image-test sbom kubernetes lint format docs chart lock clean

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-11s %s\n' "$$name" "$$what"; done

demo: $(VENV)/.runtime ## Watch orders arrive: Kafka, Button and the connector on this machine
	@$(BIN)/button-connector demo

test: $(VENV)/.heavy ## Run every test; what this machine cannot run is skipped and named
	@if [ -z '$(PYTEST_ARGS)' ]; then VENV=$(VENV) .ci/all-tests; else $(BIN)/python -m pytest $(PYTEST_ARGS); fi

pythons: $(VENV)/.dev ## Run the quick tests on every other Python that is found
	@VENV=$(VENV) .ci/other-pythons

check: lint ## Format, lint, types, import contracts and the quick tests, in less than a minute
	SIMULATION_SEEDS=200 $(BIN)/python -m pytest --quiet --numprocesses auto -m "not kafka and not e2e" $(QUICK_TESTS)

fuzz: $(VENV)/.dev ## Throw foreign bytes at all that parses some, for an hour or two (make test does so for a minute)
	$(BIN)/python -m pytest --hypothesis-profile long --timeout 0 --numprocesses auto tests/fuzz

benchmark: $(VENV)/.heavy ## Measure the connector beside a bare loop, in one run of about five minutes
	$(BIN)/python -m benchmarks.end_to_end --output $(BENCHMARK_RESULTS)

image: ## Build the container image (ENGINE=docker, IMAGE=name:tag, IMAGE_ARGS=... for more arguments)
	$(BUILD_IMAGE) --tag $(IMAGE) --build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
		--build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" $(IMAGE_ARGS) .

image-test: $(VENV)/.heavy ## Build the image and try it with podman
	$(BIN)/python -m pytest tests/image

sbom: image ## Write the image's software bill of materials to build/sbom.cdx.json
	@mkdir -p $(dir $(SBOM))
	$(ENGINE) run --rm --network none --entrypoint cat $(IMAGE) /usr/share/button-connector/sbom.cdx.json >$(SBOM)

kubernetes: $(VENV)/.heavy ## Make the tools of the chart's tests (a quarter of an hour, once), and run them
	$(BIN)/python -m tests.support.kube_tools
	$(BIN)/python -m pytest tests/kubernetes

lint: $(VENV)/.heavy ## The part of check that runs no test
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## Put the code in its canonical form
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

docs: $(VENV)/.dev ## Make anew the pages that are made from the code
	$(BIN)/python -m tests.support.reference_pages
	$(BIN)/python -m tests.support.field_docs
	$(BIN)/python -m tests.support.response_docs
	$(BIN)/python -m tests.support.scenario_docs
	$(BIN)/button-connector config reference --format markdown >docs/settings.md
	$(BIN)/button-connector config schema >docs/settings.schema.json
	$(BIN)/python -m tests.support.helm_values

chart: docs ## Make anew what is made from the chart's values, too: its schema, its README and the rendered examples
	$(BIN)/python -m tests.support.kube_tools helm_tools
	$(BIN)/python -m tests.support.helm_examples

# Hashes for every platform, and no index: where packages come from is the business of the one who installs them.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE)

lock: $(VENV)/.dev ## Renew the locks from pyproject.toml (UPGRADE=--upgrade for the newest versions)
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
	$(COMPILE) --group heavy --constraints requirements/dev.txt --output-file requirements/heavy.txt
	$(COMPILE) --group build --constraints requirements/dev.txt --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --extra otel --constraints requirements/dev.txt --output-file requirements/image.txt
	$(COMPILE) --group sbom --constraints requirements/dev.txt --output-file requirements/sbom.txt
	$(COMPILE) tests/kubernetes/requirements.in --output-file tests/kubernetes/requirements.txt

clean: ## Delete what was made here
	rm -rf $(VENV) $(VENV)-* .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml $(VENV)/.made
	@echo "installing the connector into $(VENV)"
	@$(LOCKED) -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) install --quiet --no-build-isolation --no-deps --no-index --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@echo "installing the tools of the tests into $(VENV)"
	@$(LOCKED) -r requirements/dev.txt
	@touch $@

$(VENV)/.heavy: requirements/heavy.txt $(VENV)/.dev
	@echo "installing what the tests of whole systems need into $(VENV)"
	@$(LOCKED) -r requirements/heavy.txt
	@touch $@

$(VENV)/.made:
	@python="$$(PYTHON='$(PYTHON)' .ci/find-python)" && "$$python" -m venv $(VENV)
	@touch $@
