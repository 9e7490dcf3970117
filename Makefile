# `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LAB := PYTHONPATH=tests $(BIN)/python -m
PYTEST := $(BIN)/python -m pytest
CLUSTER ?= lab
SITE ?= ../duravip-site

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@echo "Installing the Python packages into $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cannot go on: Python 3.11 or newer is needed")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || (echo "cannot make $(VENV): is the package python3-venv there?"; exit 1)
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[operator,agent,dev]'
	@touch $@

.PHONY: install
install: $(STAMP) ## Install the Python packages into .venv

.PHONY: requirements
requirements: $(STAMP) ## Install the Debian packages and build the Kubernetes programs for the lab
	@$(LAB) lab build
	@$(LAB) page.axe

.PHONY: demo
demo: $(STAMP) ## A local cluster with the manual's example; kill the owner, time the fail-over
	@$(LAB) lab.demo --cluster $(CLUSTER) $(if $(NODE_IMAGE),--node-image=$(NODE_IMAGE))

.PHONY: demo-down
demo-down: $(STAMP) ## End the demo's cluster
	@$(LAB) lab.demo --cluster $(CLUSTER) --down

.PHONY: test
test: requirements ## Everything that needs no more than this machine
	@$(BIN)/python tests/tiers.py lint shape unit chart processes properties scenarios fuzz simulation api page netns faults mail images e2e

.PHONY: lint
lint: $(STAMP) ## ruff, mypy and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: fmt
fmt: $(STAMP) ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

.PHONY: unit
unit: $(STAMP) ## The fast tiers: shape and unit
	@$(PYTEST) -q tests/shape tests/unit -m "not properties"

.PHONY: mutation
mutation: $(STAMP) ## Cut the rules that decide about safety, one by one; ALL=1 tries every cut
	@$(LAB) mutation $(if $(ALL),--all)

.PHONY: e2e
e2e: requirements ## The tests on real kubelets
	@$(PYTEST) tests/e2e

.PHONY: test-images
test-images: requirements ## Build the Dockerfiles by a real docker, and run what is in them
	@$(PYTEST) tests/images

.PHONY: alerts
alerts: requirements ## Every alert on its fault, with a real Prometheus; QUIET_S=240 scrapes without one
	@QUIET_S=$(or $(QUIET_S),8) $(PYTEST) tests/alerts

.PHONY: kernels
kernels: $(STAMP) ## Try other kernels and every sort of card, in virtual machines; SUITE=NAME: one
	@$(LAB) kernels $(if $(SUITE),--suite=$(SUITE))

.PHONY: kind
kind: $(STAMP) ## make demo CLUSTER=kind on a docker of its own, with a home-made node image
	@$(PYTEST) -s tests/kind

.PHONY: bench
bench: requirements ## Measure all beside keepalived in MINUTES=150; QUICK=1 takes five
	@$(LAB) bench $(if $(QUICK),--quick,--minutes=$(or $(MINUTES),150))

.PHONY: soak
soak: requirements ## Random faults for MINUTES=60, seen from outside; SEED=N repeats them
	@$(LAB) soak --minutes=$(or $(MINUTES),60) $(if $(SEED),--seed=$(SEED))

.PHONY: fuzz
fuzz: $(STAMP) ## Change what others send at random, for MINUTES=10 a target; SEED=N repeats it
	@$(LAB) fuzz --minutes=$(or $(MINUTES),10) $(if $(SEED),--seed=$(SEED)) $(TARGET)

.PHONY: manifests
manifests: $(STAMP) ## Make the CRDs from the models
	@$(BIN)/python -m duravip_api.manifest crds helm/duravip/crds

.PHONY: chart
chart: $(STAMP) ## Make the chart's README and the descriptions in its schema
	@$(BIN)/python helm/write_docs.py

.PHONY: docs
docs: $(STAMP) ## Make docs/reference.md from the models, the reasons and the settings
	@$(BIN)/python docs/write_reference.py

.PHONY: site
site: $(STAMP) ## Build the documentation as a site, in SITE=../duravip-site
	@$(BIN)/mkdocs build --config-file docs/mkdocs.yml --site-dir $(abspath $(SITE))
	@echo "the site is in $(abspath $(SITE))"

.PHONY: images
images: requirements ## Make the container images as OCI archives, without docker
	@$(LAB) lab.images

# Kept apart: these tools change what is locked, and must not be part of it.
TOOLS := $(VENV)-tools
UV := $(TOOLS)/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-annotate --custom-compile-command "make lock"

$(TOOLS): pyproject.toml
	@$(PYTHON) -m venv $@
	@$@/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1' 'cyclonedx-bom>=7,<8'
	@touch $@

.PHONY: lock
lock: $(TOOLS) ## Take the newest versions, with hashes, into requirements/, which the images install
	@$(UV) --upgrade requirements/build.in -o requirements/build.txt
	@for program in operator agent mail; do \
		$(UV) --upgrade pyproject.toml --extra $$program -o requirements/$$program.txt; done

.PHONY: sbom
sbom: $(TOOLS) ## List what is in each image as CycloneDX: sbom-operator.json, sbom-agent.json, sbom-mail.json
	@for program in operator agent mail; do $(TOOLS)/bin/cyclonedx-py requirements \
		--pyproject pyproject.toml requirements/$$program.txt -o sbom-$$program.json; done
