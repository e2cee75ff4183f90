# Two commands do all the set-up on a fresh machine: `make lab` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
TOPOLOGY ?= topologies/verona.yaml

.PHONY: lab test check format docs clean

lab: $(VENV)/ready       ## bring the lab up, show a message crossing it; Ctrl-C takes everything down
	@$(BIN)/xmpplab up $(TOPOLOGY) --demo

test: $(VENV)/ready      ## the whole test suite
	@$(BIN)/pytest -n auto --dist loadgroup -q

check: $(VENV)/ready     ## format, lint, types, import contracts, unit tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q tests/unit tests/ports -n auto

format: $(VENV)/ready    ## rewrite the source in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/ready      ## write the parts of docs/ that are made from the code
	@$(BIN)/python docs/generate.py

$(VENV)/ready: pyproject.toml
	@test -d $(VENV) || python3 -m venv $(VENV)
	@echo "installing into $(VENV) (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:                   ## forget the virtual environment and all lab state
	rm -rf $(VENV) .xmpplab
