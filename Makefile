PYTHON ?= python3
PORT   ?= 3000
# One test process more than there are processors: some tests wait for running platforms most of the time.
JOBS   ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))
VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.installed
LOCKS  := requirements-bootstrap.lock requirements.lock
LOCK   := $(VENV)/bin/uv pip compile --python-version 3.11 --universal --generate-hashes --no-strip-extras \
          --no-emit-index-url --no-emit-find-links --no-header -q

# Without byte code every start of every process compiles everything again.
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo up test nightly check bench lock clean

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(STAMP)  ## Trade the sample history from nothing to a report: make demo [FROM=2010-03-01] [TO=2013-03-01]
	@$(PY) -m trading_assets.cli demo $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO))

up: $(STAMP)  ## Run web page, schedules, sensors and servers until Ctrl-C: make up [PORT=3000] [BROKER=local-alpaca]
	@$(PY) -m trading_assets.cli up --port $(PORT) $(if $(BROKER),--broker $(BROKER))

test: $(STAMP)  ## Run the tests: make test [ARGS="-k name"]
	@$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

nightly: $(STAMP)  ## Run the tests that take too long for every time
	@$(PY) -m pytest -n $(JOBS) --dist load -m nightly $(ARGS)

check: $(STAMP)  ## Format, lint, types and walls, without changing a file
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo

bench: $(STAMP)  ## Measure what matters on this machine, as ratios
	@$(PY) -m bench

lock: $(STAMP)  ## Pin the newest fitting packages anew, with hashes and without addresses
	@$(LOCK) --upgrade --extra dev pyproject.toml -o requirements.lock

clean:  ## Remove the virtual environment and the tools' caches; the data in .trading stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(STAMP): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ..." if not (3, 11) <= sys.version_info < (3, 14) else 0)'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) has no venv module: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Installing the packages of requirements.lock into $(VENV)"
	@$(PY) -m pip install -q --require-hashes -r requirements-bootstrap.lock || true
	@{ test -x $(VENV)/bin/uv && $(VENV)/bin/uv pip install -q --python $(PY) --require-hashes -r requirements.lock; } \
	  || $(PY) -m pip install -q --require-hashes -r requirements.lock
	@$(PY) -m pip install -q --no-deps --no-build-isolation --editable .
	@touch $@
