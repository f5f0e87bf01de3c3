# What people type. Every target sets up what it needs; `make help` lists them.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := . .venv/bin/activate &&
PYTEST := $(VENV) pytest
SIDE_BY_SIDE := --numprocesses logical --maxprocesses 3
STACK := local

.PHONY: help up test unit images lint bench faults mutants down lock set-up

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

up: ## set up this machine, start the lab and release to it
	@python3 -m infra.toolchain up --lab
	@$(VENV) pulumi stack select --create $(STACK)
	@$(VENV) pulumi up --stack $(STACK) --yes
	@$(VENV) acp-release status --stack $(STACK)

test: unit ## run all tests, the fast ones first, and leave nothing behind (KEEP=1 keeps the labs warm)
	@$(PYTEST) $(SIDE_BY_SIDE) --no-loadscope-reorder \
		tests/e2e tests/workflows tests/faults tests/contract tests/integration; \
		status=$$?; [ -n "$(KEEP)" ] || { $(VENV) python -m tests.support.take_down; }; exit $$status

unit: set-up ## run the tests that need neither Docker nor a lab
	@$(PYTEST) tests/components
	@$(PYTEST) $(SIDE_BY_SIDE) tests/unit

images: ## build the images and scan them, in the lab of this machine
	@python3 -m infra.toolchain up --lab
	@$(VENV) acp-release build --stack $(STACK) --save reports/build.json
	@$(VENV) acp-release scan --stack $(STACK) --images reports/build.json

lint: set-up ## run every static check
	@$(VENV) python -m infra.toolchain.lint

bench: set-up ## measure; one JSON line per figure
	@$(VENV) python -m tests.bench

faults: set-up ## run the fault matrix
	@$(VENV) python -m tests.faults

mutants: set-up ## break every check in every way; a mutant that no test notices fails
	@$(VENV) python -m tests.mutants

down: ## remove the lab, the local stack and what set-up made in the checkout
	@if [ -x .venv/bin/python ] && [ -d .acp/world -o -d .acp/world-2 ]; then $(VENV) python -m tests.support.take_down; fi
	@if [ -x .venv/bin/acp-release ]; then $(VENV) \
		if pulumi stack ls 2>/dev/null | grep -q '^$(STACK)[* ]'; then \
			pulumi stack rm --stack $(STACK) --force --yes --preserve-config; fi; \
		sed -i '/^encryptionsalt:/d' stacks/Pulumi.$(STACK).yaml; \
		acp-release lab down; fi
	@python3 -m infra.toolchain down

lock: set-up ## renew requirements/*.txt from requirements/*.in
	@$(VENV) python -m infra.toolchain.relock
	@python3 -m infra.toolchain up

set-up:
	@python3 -m infra.toolchain up --quiet
