# Every target brings what it needs; `make help` lists them.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
export TF_CPP_MIN_LOG_LEVEL = 3
export PYTHONWARNINGS = ignore
export RASA_TELEMETRY_ENABLED = false

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: .venv/installed ## The locked environment in .venv

.venv/installed: requirements.lock scripts/install.sh pyproject.toml
	@scripts/install.sh
	@touch $@

train: install ## The model, where content or examples changed
	@$(PYTHON) -m bot train

run: install ## Content, model and service on http://127.0.0.1:8000
	@$(PYTHON) -m bot train
	@$(PYTHON) -m bot serve

test: install ## Everything: style, types, content, unit, end to end
	@scripts/test.sh

check: install ## Style, types and content only
	@scripts/check.sh

lock: ## Resolve the dependencies anew
	@scripts/install.sh uv-only
	@.tools/uv/bin/uv pip compile pyproject.toml --group dev --generate-hashes --python-version 3.11 --no-emit-index-url -q -o requirements.lock

bench: install ## Speed and memory of the running service
	@$(PYTHON) scripts/benchmark.py

coverage: install ## Statement coverage of cases and console
	@scripts/coverage.sh

.PHONY: help install train run test check lock bench coverage
