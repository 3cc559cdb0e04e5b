# Everything that people and CI run. Each target sets up what it needs first.
PYTHON ?= python3
RUN := .venv/bin
# The theme advertises its successor on every build otherwise.
export NO_MKDOCS_2_WARNING := 1

.PHONY: help setup dev demo serve test check fix engines bench bench-peers soak docs lock

help:            ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1 \t/' | expand -t 18

setup:           ## install what the gateway needs
	@$(PYTHON) tools/setup.py serve

dev:             ## install what tests, checks and docs need as well
	@$(PYTHON) tools/setup.py dev

demo: setup      ## index this repository, serve, and ask for suggestions (ONCE=1 stops after that)
	@$(RUN)/inhouse demo $(if $(ONCE),--once)

serve: setup     ## start the gateway as inhouse.toml says
	@$(RUN)/inhouse serve

test: dev        ## run the test suite
	@$(RUN)/python -m pytest -n auto $(ARGS)

check: dev       ## format, lint, types, floors, dependencies, docs
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/pyright --pythonpath $(RUN)/python
	@$(RUN)/lint-imports
	@$(RUN)/deptry src
	@$(RUN)/mkdocs build --strict --quiet --site-dir build/site

fix: dev         ## format, and mend what ruff can
	@$(RUN)/ruff format .
	@$(RUN)/ruff check --fix .

engines:         ## build llama.cpp's server and install vLLM in a cache, for the tests
	@$(PYTHON) engines/setup.py

bench: dev       ## measure: CPU a request and a token beside a reference, in under five minutes
	@$(RUN)/python bench/run.py $(ARGS)

bench-peers: dev ## measure beside other gateways, installed into the user's cache
	@$(RUN)/python bench/run.py --peers $(ARGS)

soak: dev        ## chaos for five minutes: upstreams die and return under load (ARGS="--seconds 60")
	@PYTHONPATH=. $(RUN)/python bench/soak.py $(ARGS)

docs: dev        ## build the documentation into site/
	@$(RUN)/mkdocs build --strict

lock: dev        ## resolve the lock files anew
	@$(RUN)/python tools/lock.py
