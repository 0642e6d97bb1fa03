# make setup · demo · test · check: everything of this project, from a fresh clone, without root.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export UV_PYTHON_DOWNLOADS := never
# Half of what a command takes is compiling its imports: once, at set-up, and never again.
unexport PYTHONDONTWRITEBYTECODE
# Trust what this machine trusts (a company's proxy, for example); uv's own list of authorities otherwise.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= true
endif

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$name"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
# More than cores: more than half of what a test of a whole run takes is waiting (docs/performance.md).
JOBS ?= 5

.PHONY: help setup demo demo-incident demo-rollback demo-sources demo-languages demo-year demo-agent demo-up agents forges gitea prism test test-gitea test-github test-browser test-faults test-agents test-uncached \
	test-packages test-regressions test-sweep bench check format \
	lock clean record-histories

help:
	@echo "make demo           set up, then run the main job on a real package (DEMO_PACKAGE=name==version takes any)"
	@echo "make demo-incident  an agent touches a protected path: stop, explain, resume, on a real package"
	@echo "make demo-rollback  a change merges by itself, breaks production, is undone exactly, on a real package"
	@echo "make demo-sources   sources of records are tried, promoted and demoted, on real data sets out of packages"
	@echo "make demo-languages the loop on a real package each of Python, JavaScript, Go and Rust, by its own fixer"
	@echo "make demo-year      a year of daily runs and weekly reviews, every number counted again (YEAR_SEED=… makes another)"
	@echo "make demo-agent     a coding agent does what an issue asks, against a scripted model (DEMO_AGENT=… takes another)"
	@echo "make test           set up, then all tests; those against Gitea and GitHub's contract where Go and Node are there"
	@echo "make setup          set up alone: .venv with locked dependencies, Temporal server and sandbox included"
	@echo "make check          format, lint, types, import rules, schemas"
	@echo "make demo-up        server, UI and worker on what the last demo left"
	@echo "make test-uncached  the flows with no workflow cached (opt-in)"
	@echo "make test-agents    every coding agent there is a recipe for, hostile repositories and programs (opt-in, needs Node)"
	@echo "make test-packages  the loop on real packages from the registry (opt-in)"
	@echo "make test-regressions  the 100 generated regressions (REGRESSION_SEED=… makes others; one each of four kinds is in make test)"
	@echo "make test-sweep     every write at every crash point, every unclear answer, the generated regressions, twenty merges at once (opt-in; make test tries pairs)"
	@echo "make test-gitea     the tests against a real Gitea alone (needs Go)"
	@echo "make test-faults    fifty runs against a Gitea that fails at every call, every fault of every write, people and deaths at every step (opt-in, needs Go)"
	@echo "make gitea          build the Gitea that the forge tests need (Go; minutes the first time)"
	@echo "make test-github    the tests against GitHub's published contract alone (needs Node)"
	@echo "make test-browser   the tests in a real headless Chromium alone (needs Chromium)"
	@echo "make prism          install the contract and the server that the GitHub tests need (Node)"
	@echo "make bench          what a run, git, a command and long books cost, as ratios (opt-in; docs/performance.md)"
	@echo "make lock           write requirements.lock anew from pyproject.toml"
	@echo "make clean          remove .venv and .cache; .autonomy, where runs are kept, stays"

setup: $(STAMP)
	@:

# uv comes from PATH, or through pip into .cache; then everything else comes from the lock, by hash.
$(STAMP): requirements.lock Makefile
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is missing: install it, or name it with make PYTHON=/path/to/python" >&2; exit 1; }
	@command -v git >/dev/null || { echo "git is missing: install it (2.38 or newer)" >&2; exit 1; }
	@uv=$$(command -v uv || true); \
	if [ -z "$$uv" ]; then \
		uv=.cache/bootstrap/bin/uv; \
		if [ ! -x "$$uv" ]; then \
			echo "setting up uv in .cache"; \
			"$(PYTHON)" -m venv --clear .cache/bootstrap >/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian: python3-venv)" >&2; exit 1; }; \
			sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .cache/bootstrap/uv.txt; \
			.cache/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .cache/bootstrap/uv.txt || { echo "pip cannot install uv: is the package registry reachable?" >&2; exit 1; }; \
		fi; \
	fi; \
	echo "setting up $(VENV) with $(PYTHON)"; \
	test -x $(BIN)/python && $(BIN)/python -c '' 2>/dev/null || "$$uv" venv --quiet --clear --python "$(PYTHON)" $(VENV); \
	"$$uv" pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@touch $@

demo: setup
	@$(BIN)/python -m demo

demo-incident: setup
	@$(BIN)/python -m demo.incident

demo-rollback: setup
	@$(BIN)/python -m demo.rollback

demo-year: setup
	@$(BIN)/python -m demo.year

demo-agent: setup
	@$(BIN)/python -m demo.agent

demo-sources: setup
	@$(BIN)/python -m demo.sources

demo-up: setup
	@AUTONOMY_HOME="$(CURDIR)/.autonomy/demo/home" AUTONOMY_POLICIES="$(CURDIR)/.autonomy/demo/policies" $(BIN)/python starter.py up

demo-languages: setup
	@$(BIN)/python -m demo.languages

# A real forge for the tests, from the Go module in tests/gitea; its static files stay in Go's module cache.
GITEA := .cache/gitea/gitea
gitea: $(GITEA)
	@:

$(GITEA): tests/gitea/go.mod tests/gitea/go.sum
	@command -v go >/dev/null || { echo "Go is missing: install it (1.26 or newer) to build the forge of the tests" >&2; exit 1; }
	@echo "building Gitea from tests/gitea: minutes the first time"
	@mkdir -p $(@D)
	@go build -C tests/gitea -trimpath -ldflags '-s -w' -tags 'sqlite sqlite_unlock_notify' -o "$(CURDIR)/$@" code.gitea.io/gitea
	@ln -sfn "$$(go list -C tests/gitea -m -f '{{.Dir}}' code.gitea.io/gitea)" $(@D)/static
	@touch $@

# GitHub's published OpenAPI description and the server that holds requests and answers against it.
PRISM := .cache/github/node_modules/.bin/prism
prism: $(PRISM)
	@:

$(PRISM): tests/github/package.json tests/github/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node (18.20 or newer) to hold the GitHub tests against GitHub's contract" >&2; exit 1; }
	@echo "installing GitHub's contract from tests/github"
	@mkdir -p .cache/github && cp tests/github/package.json tests/github/package-lock.json .cache/github/
	@cd .cache/github && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@find .cache/github/node_modules/@octokit/openapi/generated -name '*.json' ! -name api.github.com.json -delete
	@touch $@

# What the opt-in tests need, where it can be made: Gitea by Go, GitHub's contract by Node; Chromium is there or not.
HAS_GO := $(shell go version 2>/dev/null | grep -qE 'go1\.(2[6-9]|[3-9][0-9])' && echo yes)
HAS_NODE := $(shell command -v npm >/dev/null && node -e "process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)" && echo yes)
HAS_BROWSER := $(shell command -v chromium google-chrome >/dev/null && echo yes)
OPT_IN := not packages and not sweep and not every_agent$(if $(HAS_GO),, and not gitea)$(if $(HAS_NODE),, and not github and not agents)$(if $(HAS_BROWSER),, and not browser)

forges: $(if $(HAS_GO),gitea) $(if $(HAS_NODE),prism)
	@$(if $(HAS_GO),:,echo "left out: Go 1.26 or newer is missing, so nothing runs against a real Gitea")
	@$(if $(HAS_NODE),:,echo "left out: Node 18 or newer is missing, so nothing is held against GitHub's contract")
	@$(if $(HAS_BROWSER),:,echo "left out: Chromium is missing, so no web page tries to talk to the embedded server")

# Coding agents as their vendors ship them, pinned by their recipes; installed once.
agents: setup
	@$(if $(HAS_NODE),AUTONOMY_HOME="$(CURDIR)/.cache" $(BIN)/python starter.py agents install codex mini-swe-agent >/dev/null,echo "left out: npm is missing, so no coding agent is tried")

test: setup forges agents
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --durations=20 -m "$(OPT_IN)"

test-gitea: setup gitea
	@$(BIN)/python -m pytest -m "gitea and not sweep" tests/forges

test-github: setup prism
	@$(BIN)/python -m pytest -m "github and not sweep" tests/forges

test-browser: setup
	@command -v chromium google-chrome >/dev/null || { echo "Chromium is missing: install it (Debian: chromium)" >&2; exit 1; }
	@$(BIN)/python -m pytest -m browser tests

test-faults: setup gitea
	@$(BIN)/python -m pytest -m "gitea and sweep" -rP tests/forges

# Ratios inside one run, by CPU time: docs/performance.md says how to read them.
bench: setup
	@$(BIN)/python -m pytest tests/bench/ratios.py -q -s -p no:xdist 2>&1 | grep --line-buffered -E ' times$$|passed|failed|Error'

# Every workflow task replays its whole history: what is not deterministic fails here.
test-uncached: setup
	@GROUPING_EXAMPLES=100 WORLD_CACHED_WORKFLOWS=0 $(BIN)/python -m pytest -n $(JOBS) -m "not packages and not sweep and not gitea and not github and not browser and not agents and not every_agent" tests/workflows
	@$(BIN)/python -m pytest -m sweep tests/replay

# Every agent there is a recipe for, planted repositories, sixty hostile programs.
test-agents: setup agents
	@AUTONOMY_HOME="$(CURDIR)/.cache" $(BIN)/python starter.py agents install aider claude gemini gptme opencode >/dev/null
	@$(BIN)/python -m pytest -m "agents or every_agent" tests -rP

test-packages: setup
	@$(BIN)/python -m pytest -m packages

test-regressions: setup
	@$(BIN)/python -m pytest -n $(JOBS) -m sweep tests/chaos/test_generated_regressions.py

test-sweep: setup forges
	@$(BIN)/python -m pytest -n $(JOBS) -m sweep

# After a change of a workflow's command order: the recorded histories are what open runs look like.
record-histories: setup
	@$(BIN)/python tests/replay/record.py

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m reporting.schemas --check

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# A requirements lock and not uv.lock: that one would write a registry's address into a file (docs/adr/0002).
lock: setup
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
