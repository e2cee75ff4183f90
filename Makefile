# Two commands do all the set-up on a fresh machine: `make lab` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
TOPOLOGY ?= topologies/rfc3920.yaml
MATRIX := kill-s2 s2s-kill-s2 kill-s1 s2s-kill-s1 kill-redis pause-s2 s2s-pause-s2 partition s2s-partition cut-receiver \
	many-troubles loss everything offline gateways random-kills
EXTRA ?= dev
# a lab is many processes of this tree, and tests start hundreds of labs: what Python compiled is kept
export PYTHONDONTWRITEBYTECODE =

# Tests of labs wait more than they compute: three workers for each core.
WORKERS ?= $(shell expr 3 \* `getconf _NPROCESSORS_ONLN`)
# The tests of a file share a worker, and so a lab. Files run in the order of their folders: the short ones, in unit/, last.
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help lab test test-containers fault-matrix simulate-long torture fuzz docs-conformance conformance-peers lint check format docs bench calibrate image clean

help:                    ## this list
	@echo "make lab and make test do all the set-up on a fresh machine. All targets:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

lab: $(VENV)/ready       ## bring the lab up, show messages crossing it, serve its page; Ctrl-C takes everything down
	@$(BIN)/xmpplab up $(TOPOLOGY) --demo --web

test: $(VENV)/ready      ## the whole test suite; says why tests were skipped and which failed, and leaves nothing behind
	@tmp=$$(mktemp -d) && chmod 755 "$$tmp" && TMPDIR=$$tmp $(PYTEST) -n $(WORKERS) -q -rsfE $(ARGS); code=$$?; \
	rm -rf "$$tmp"/pytest-of-* "$$tmp"/xmpplab-*; rmdir "$$tmp" || { echo "tests have left this in $$tmp:"; ls -A "$$tmp"; exit 1; }; \
	exit $$code

docs-conformance: $(VENV)/ready  ## write docs/conformance.md from the conformance tests
	@$(BIN)/python -m tests.conformance.report

conformance-peers: $(VENV)/ready ## the conformance tests against Debian's Prosody and ejabberd too; which rules each keeps
	@-$(BIN)/pytest -q tests/conformance --servers ours,prosody,ejabberd --write-peers docs/conformance-peers.md
	@echo "written: docs/conformance-peers.md"

fault-matrix: $(VENV)/ready      ## kill, stop and cut off while 1,000 messages/s flow; write docs/fault-matrix.md (7 minutes)
	@$(BIN)/xmpplab verify $(MATRIX) --write docs/fault-matrix.md

simulate-long: $(VENV)/ready     ## many SEEDS (1..500) of scenarios, people and troubles in virtual time; for nights
	@for each in kill-s2 kill-s1 pause-s2 partition cut-receiver loss everything offline room room-nodes \
	"kill-redis --router redis" "random-kills --router redis" "many-troubles --router redis" \
	"verona --for 10m --people 50 --troubles 20" "nodes --for 10m --people 50 --troubles 20"; do \
	echo "$$each"; $(BIN)/xmpplab simulate $$each --seeds $(or $(SEEDS),1..500) || failed=1; done; exit $${failed:-0}

torture: $(VENV)/ready   ## a stranger's client through kills, scaling and load, for SECONDS each (60); docs/fault-matrix.md
	@$(BIN)/python -m tests.torture --seconds $(or $(SECONDS),60) --seed $(or $(SEED),1597) --write docs/fault-matrix.md

fuzz: $(VENV)/ready      ## look for input that breaks the parser, a stream or a server, for SECONDS (60)
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	@$(BIN)/python -m tests.fuzz $(or $(SECONDS),60) $(TARGETS)

lint: $(VENV)/ready      ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint              ## and the unit tests
	@$(BIN)/pytest -q tests/unit tests/ports -n auto

format: $(VENV)/ready    ## rewrite the source in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/ready      ## write the parts of docs/ that are made from the code
	@$(BIN)/python -m docs.generate

test-containers: $(VENV)/ready   ## the container tests, or those of FILES; as root, with an engine of their own where none runs
	@docker info >/dev/null 2>&1 || engine='bash .ci/engine'; $$engine $(PYTEST) -p no:cacheprovider -n 2 -q -rsfE -m docker $(or $(FILES),tests/live)

bench: $(VENV)/ready     ## ours beside Debian's Prosody and ejabberd: docs/performance.md; BENCH_ARGS=--help
	@$(BIN)/python -m loadtests.bench $(BENCH_ARGS)

calibrate: $(VENV)/ready ## measure service times for simulations, and what they predict: docs/costs.json, docs/capacity.md
	@$(BIN)/python -m loadtests.bench --calibrate
	@$(BIN)/python -m loadtests.bench --curve

image:                   ## build the image for labs in containers (xmpplab up --driver docker)
	@docker build --tag xmpplab --file compose/Dockerfile $(IMAGE_ARGS) .

$(VENV)/ready: pyproject.toml
	@test -d $(VENV) || python3 -m venv $(VENV)
	@echo "installing into $(VENV) (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[$(EXTRA)]'
	@touch $@

clean:                   ## take the labs of this folder down; forget them and the virtual environment
	@for lab in .xmpplab/*/; do \
		if test -d "$$lab" && test -x $(BIN)/xmpplab; then $(BIN)/xmpplab down --lab "$$(basename "$$lab")" || true; fi; \
	done
	rm -rf $(VENV) .xmpplab
