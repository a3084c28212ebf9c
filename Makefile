# Needs python3 (3.11 or newer) and make; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
# Jupyter refuses to run as root, which is who one is in most containers.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
LAB_FLAGS ?=
# Others that the notebooks are checked with: make notebooks-check PYTHONS="python3.12 python3.13"
PYTHONS ?= $(PYTHON)
# Where the repository lies on GitHub. The shell gets them as variables, so that nothing in them is special.
REPO =
BRANCH = main
export REPO BRANCH
# Which random schedules `make chaos` carries out; any, if no seed is given.
SEED ?=
SCHEDULES ?= 2000
# How many tests run at a time; WORKERS=0 for one, with a debugger. Four on two cores, because most tests wait for a server,
# a kernel or a page: on two cores, three took 530 s and four take 450 s.
WORKERS ?= 4
export SEED SCHEDULES WORKERS

# Python compiles a module when it is first imported, and keeps that. To compile all packages at their installation
# would take longer than to install them, and most of their modules are never imported here.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --no-compile
# Where this is set, every process would compile the modules of the package and of the tests again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: lab test test-frontend test-local coverage lint format notebooks notebooks-check docs bench chaos fresh-check binder-check dist-check binder-link clean help

help:  ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

lab: .venv/lab  ## set up and open JupyterLab on the quickstart
	$(BIN)/jupyter lab $(AS_ROOT) $(LAB_FLAGS) notebooks/01_quickstart.ipynb

test: .venv/dev .venv/node  ## lint, types, the documentation, all tests, all notebooks
	$(MAKE) --jobs=2 lint docs test-frontend
	# `make docs` has run the tests of the site; the notebooks are run by tests/test_notebooks.py.
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --ignore=tests/test_site.py

test-local: .venv/local  ## only tests without a server, a kernel or a browser, on any platform
	$(BIN)/python -m pytest --local -n $(WORKERS) --dist worksteal

coverage: .venv/dev  ## which lines the tests run, in test-output/coverage; without kernels and browsers
	# Pages of the documentation are not built for this, so their tests are left out.
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not kernel and not browser" --ignore=tests/test_site.py \
		--cov --cov-report=term --cov-report=html:test-output/coverage

test-frontend: .venv/node  ## the unit tests of the explorer's front end, in Node.js, seconds
	$(BIN)/node --test "tests/frontend/*.test.js"

lint: .venv/dev .venv/node  ## ruff and mypy; ESLint and TypeScript for the front end
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/node node_modules/eslint/bin/eslint.js .
	$(BIN)/node node_modules/typescript/bin/tsc

format: .venv/dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: .venv/dev  ## run the notebooks again and keep their outputs
	$(BIN)/python tests/run_notebooks.py

notebooks-check:  ## the notebooks under PYTHONS="python3.12 python3.13", in environments of their own
	@set -e; for python in $(PYTHONS); do \
		env=.venv-$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "== $$env"; \
		$$python -m venv $$env; \
		$$env/bin/python -m pip install --quiet --upgrade "pip>=25.1"; \
		$$env/bin/python -m pip install --quiet --editable ".[tutorials]" --group test; \
		$$env/bin/python -m pytest tests/test_notebooks.py; \
	done

docs: .venv/dev  ## the documentation, into build/docs; any warning is an error
	rm -rf build/docs  # pages that are no more would stay
	$(BIN)/sphinx-build -W --keep-going -n -q -c docs . build/docs
	$(BIN)/pytest -q tests/test_site.py

bench: .venv/bench  ## searches, cache, server, agents, file and explorer beside their peers, an hour; SIZES="1k 10k" for less
	$(BIN)/python benchmarks/search.py $(if $(SIZES),--sizes $(SIZES))
	$(BIN)/python benchmarks/find.py $(if $(SIZES),--sizes 6000)
	$(BIN)/python benchmarks/cache.py
	$(BIN)/python benchmarks/server.py
	$(BIN)/python benchmarks/redisearch.py $(if $(SIZES),--size 6000)
	$(BIN)/python benchmarks/agents.py
	$(BIN)/python benchmarks/file.py
	$(BIN)/python benchmarks/explorer.py
	$(BIN)/python benchmarks/misses.py $(if $(SIZES),--size 10000)
	$(BIN)/python benchmarks/hostile.py
	$(BIN)/python benchmarks/doctor.py
	$(BIN)/python benchmarks/tombstones.py

chaos: .venv/dev  ## random schedules of faults, many minutes; SEED=1 for the same ones, SCHEDULES=2000
	cd tests && ../$(BIN)/python -W error -m chaos
	cd tests && ../$(BIN)/python -W error -m primaries
	TTA_KILLS=200 $(BIN)/pytest -q tests/test_journal_in_a_file.py -k kill_9

fresh-check:  ## make lab and make test in a fresh clone of the last commit, as if on a new machine
	@$(PYTHON) tools/fresh_check.py

dist-check: .venv/dist  ## build wheel and sdist, and install and look into them, a minute
	$(BIN)/pytest tests/dist_check.py

binder-check: .venv/binder  ## do what Binder does, and run the tutorials there, three minutes
	$(BIN)/pytest tests/binder_check.py

binder-link:  ## write the repository's address into README, notebooks and pyproject.toml: REPO=owner/name [BRANCH=main]
	@$(PYTHON) tools/binder_link.py "$$REPO" "$$BRANCH"

clean:  ## remove the environment and everything made
	rm -rf .venv .venv-* node_modules build dist test-output .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "python3 is older than 3.11; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"  # older ones know no --group
	touch $@

.venv/lab: pyproject.toml | .venv/pip
	$(PIP_INSTALL) --editable ".[tutorials]"
	# JupyterLab would first ask, over the notebook, whether it may fetch announcements.
	mkdir -p .venv/etc/jupyter/labconfig
	echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' \
		>.venv/etc/jupyter/labconfig/page_config.json
	touch $@

.venv/bench: pyproject.toml | .venv/pip
	$(PIP_INSTALL) --editable ".[tutorials]" --group bench
	touch $@

.venv/binder .venv/dist: pyproject.toml | .venv/pip
	$(PIP_INSTALL) --editable ".[tutorials]" --group $(@F)
	touch $@

# Node.js comes as a wheel, so that the machine needs none. Versions are exact, so no lock file is needed.
.venv/node: package.json pyproject.toml | .venv/pip
	$(PIP_INSTALL) --group frontend
	$(BIN)/npm install --silent --no-audit --no-fund --no-package-lock
	touch $@

.venv/local: pyproject.toml | .venv/pip
	$(PIP_INSTALL) --editable ".[doctor,parquet,plots]" --group test-local
	touch $@

.venv/dev: pyproject.toml | .venv/pip
	$(PIP_INSTALL) --editable ".[tutorials]" --group dev
	touch $@
