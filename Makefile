# Works as root or not, in a clone at any path. PYTHON=/path names the interpreter (3.11 to 3.13).
.DEFAULT_GOAL := help
.PHONY: help demo test lint fetch bench lock clean
PY := .venv/bin/python
TESTS ?= -n auto --dist worksteal
export PYTHON

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

demo: ## set up everything and grow the indicators in examples/iocs.txt (no key needed)
	@tools/setup.sh pack
	@.venv/bin/cortex-grow demo

test: ## set up everything and run all checks and tests; TESTS='-k name' chooses
	@tools/setup.sh test
	@$(PY) tools/fetch.py
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict cortex_grow
	$(PY) -m pytest $(TESTS)

lint: ## let ruff put the code in order
	@tools/setup.sh test
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

fetch: ## fetch what some tests need beyond Python: Chromium and node modules
	@tools/setup.sh test
	@$(PY) tools/fetch.py

bench: ## the benchmarks, as ratios
	@tools/setup.sh test
	$(PY) -m benchmarks

lock: ## write requirements-test.lock anew, from the newest versions that setup.cfg allows
	@tools/setup.sh test
	@$(PY) tools/lock.py

clean: ## remove everything that was made or fetched here
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis cortex_grow/hygiene/data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
