# Every target sets up what it needs in its own virtual environment, .venv, and does it again only
# when setup.cfg or pyproject.toml change. Nothing has to be activated, exported or installed first.
#
#   make demo      show the main job on an embedded server
#   make test      run the tests               make test T=tests/test_session.py   some of them
#   make sdks     run the tests of SDKs, with two environments of their own
#   make libraries run the tests of libraries with an environment of their own
#   make onebot-peers run the tests with OneBot's applications of others, in an environment of their own
#   make check     format, lint, import rules, types, docs: silent when all is well
#   make bench     measure against other clients
#   make simulations make the pictures of simulated servers on bad days
#   make tables    make the docs' tables of rows, weaknesses and parameters
#   make drawings  make the docs' drawings from the code and the benchmark's results
#   make docs      build the pages into docs/_build/html
#   make pictures  look at the built pages in headless Chromium
#   make format    format the code and fix what can be fixed
#   make clean     remove what was built       make distclean   and the environment

VENV := .venv
BIN := $(VENV)/bin
# The first interpreter that will do: PYTHON=/path/to/python3.13 make test chooses another.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
T ?=
# Three test processes for two processors: half of the time the tests wait for sockets and processes.
WORKERS ?= $(shell expr '(' 3 '*' $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1 ')' / 2)

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help demo test sdks libraries onebot-peers check format bench simulations tables drawings docs pictures clean distclean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   \(make .*\)/\1/p' Makefile

# --- environment ----------------------------------------------------------------------------------

$(BIN)/python:
	@for python in $(PYTHON); do \
	    if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	        >/dev/null 2>&1; then \
	        echo "creating $(VENV) with $$("$$python" --version)"; \
	        rm -rf $(VENV); \
	        exec "$$python" -m venv $(VENV); \
	    fi; \
	done; \
	echo "No Python 3.11 or later that can create virtual environments; tried: $(PYTHON)." >&2; \
	echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv)" \
	     "or name it: make PYTHON=/path/to/python3.13 ..." >&2; \
	exit 1

# Dependency groups need pip 25.1; Debian 12 brings 23.0.
$(VENV)/.pip: | $(BIN)/python
	@$(BIN)/python -m pip install -qq --upgrade 'pip>=25.1'
	@touch $@

# One stamp for each group of pyproject.toml, so that `make demo` does not wait for the linters.
$(VENV)/.installed-%: setup.cfg setup.py pyproject.toml | $(VENV)/.pip
	@echo "installing aioclient and the group '$*' into $(VENV)"
	@$(BIN)/python -m pip install -qq --editable . --group $*
	@touch $@

# --- targets --------------------------------------------------------------------------------------

demo: $(VENV)/.installed-demo
	@$(BIN)/python examples/demo.py

test: $(VENV)/.installed-test
	@$(BIN)/pytest $(or $(T),--numprocesses=$(WORKERS) --maxprocesses=8 --dist=worksteal)

# pytest-asyncio's plugin, which one of them brings, has settings of its own to ask for.
libraries:
	@$(MAKE) --no-print-directory VENV=$(VENV)-libraries run-libraries

# Two of them: the newest SDKs, which sit on httpx2, and those before, which sit on httpx.
sdks:
	@$(MAKE) --no-print-directory VENV=$(VENV)-sdks GROUP=sdks run-sdks
	@$(MAKE) --no-print-directory VENV=$(VENV)-sdks-on-httpx GROUP=sdks-on-httpx run-sdks

# Bots and implementations of OneBot 12, each run in a process of its own.
onebot-peers:
	@$(MAKE) --no-print-directory VENV=$(VENV)-onebot-peers run-onebot-peers

.PHONY: run-sdks
run-sdks: $(VENV)/.installed-$(GROUP)
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/pytest $(or $(T),tests/libraries/sdks)

.PHONY: run-libraries
run-libraries: $(VENV)/.installed-libraries
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/pytest $(or $(T),tests/libraries/group)

.PHONY: run-onebot-peers
run-onebot-peers: $(VENV)/.installed-onebot-peers
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/pytest $(or $(T),tests/libraries/onebot)

# Runs a command; shows what it printed only when it failed.
quietly = @log=$$(mktemp) && if $(1) >"$$log" 2>&1; then rm -f "$$log"; \
    else status=$$?; cat "$$log" >&2; rm -f "$$log"; echo "failed: $(1)" >&2; exit $$status; fi

sphinx = $(BIN)/sphinx-build --quiet --fail-on-warning --fresh-env --doctree-dir docs/_build/doctrees

# All of them run, side by side, so that one failure does not hide the next.
CHECKS := check-format check-lint check-imports check-types check-user-code check-completeness \
    check-tables check-docs
.PHONY: $(CHECKS)

check: $(VENV)/.installed-test $(VENV)/.installed-check $(VENV)/.installed-docs
	@$(MAKE) --no-print-directory --keep-going --jobs=4 $(CHECKS)

check-format:
	$(call quietly,$(BIN)/ruff format --check .)

check-lint:
	$(call quietly,$(BIN)/ruff check .)

check-imports:
	$(call quietly,$(BIN)/lint-imports --no-logo)

check-types:
	$(call quietly,$(BIN)/mypy --strict aioclient)

# What type checkers say to the code of users.
check-user-code:
	$(call quietly,$(BIN)/python -m tests.typing)

# How much of the public interface has a type that every checker reads alike.
check-completeness:
	$(call quietly,$(BIN)/python .ci/completeness.py)

# The tables that name tests and parameters, and the drawings, say what is true now.
check-tables:
	$(call quietly,$(BIN)/python docs/tables --check)
	$(call quietly,$(BIN)/python docs/drawings --check)

check-docs:
	$(call quietly,$(sphinx) --builder html docs docs/_build/html)
	$(call quietly,$(sphinx) --builder doctest docs docs/_build/doctest)

format: $(VENV)/.installed-check
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

simulations: $(VENV)/.installed-test $(VENV)/.installed-docs
	@$(BIN)/python -m benchmarks.resilience --plot

bench: $(VENV)/.installed-test $(VENV)/.installed-bench
	@$(BIN)/python -m benchmarks $(ARGS)

tables: $(VENV)/.installed-test
	@$(BIN)/python docs/tables

drawings: $(VENV)/.installed-test
	@$(BIN)/python docs/drawings

docs: $(VENV)/.installed-docs
	@$(sphinx) --builder html docs docs/_build/html
	@echo docs/_build/html/index.html

pictures: $(VENV)/.installed-docs
	@$(BIN)/python docs/pictures.py $(ARGS)

clean:
	@rm -rf build dist *.egg-info docs/_build .hypothesis .import_linter_cache .mypy_cache \
	    .pytest_cache .ruff_cache
	@find aioclient tests examples benchmarks docs -name __pycache__ -prune -exec rm -rf {} + \
	    2>/dev/null || true

distclean: clean
	@rm -rf $(VENV) $(VENV)-libraries $(VENV)-onebot-peers $(VENV)-sdks $(VENV)-sdks-on-httpx
