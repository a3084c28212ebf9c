# Needs python3 (3.11 or newer) and make; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
# Jupyter refuses to run as root, which is who one is in most containers.
LAB_FLAGS ?= $(if $(filter 0,$(shell id -u)),--allow-root)
NBVAL := --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg

.PHONY: lab test lint format notebooks docs bench clean help

help:  ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

lab: .venv/lab  ## set up and open JupyterLab on the quickstart
	$(BIN)/jupyter lab $(LAB_FLAGS) notebooks/01_quickstart.ipynb

test: lint docs .venv/dev  ## lint, types, the documentation, all tests, all notebooks
	$(BIN)/pytest
	$(BIN)/pytest $(NBVAL) notebooks

lint: .venv/dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: .venv/dev  ## run the notebooks again and keep their outputs
	$(BIN)/python tests/run_notebooks.py

docs: .venv/dev  ## the documentation, into build/docs; any warning is an error
	rm -rf build/docs  # pages that are no more would stay
	$(BIN)/sphinx-build -W --keep-going -n -q -c docs . build/docs
	$(BIN)/pytest -q tests/test_site.py

bench: .venv/bench  ## search, cache, server and explorer beside their peers, half an hour; SIZES="1k 10k" for less
	$(BIN)/python benchmarks/search.py $(if $(SIZES),--sizes $(SIZES))
	$(BIN)/python benchmarks/cache.py
	$(BIN)/python benchmarks/server.py
	$(BIN)/python benchmarks/explorer.py

clean:  ## remove the environment and everything made
	rm -rf .venv build dist test-output .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "python3 is older than 3.11; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"  # older ones know no --group
	touch $@

.venv/lab: pyproject.toml | .venv/pip
	$(BIN)/python -m pip install --quiet --editable ".[tutorials]"
	touch $@

.venv/bench: pyproject.toml | .venv/pip
	$(BIN)/python -m pip install --quiet --editable ".[tutorials]" --group bench
	touch $@

.venv/dev: pyproject.toml | .venv/pip
	$(BIN)/python -m pip install --quiet --editable ".[tutorials]" --group dev
	touch $@
