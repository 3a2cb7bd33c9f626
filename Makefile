# Everything that is done often, each in one word; `make` alone lists it. Each target does its own set-up.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
RUNNER := $(BIN)/runner

.DEFAULT_GOAL := help
.PHONY: help .venv demo test check format lab-up lab-down lab-status images bench docs pictures site clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv: $(STAMP) ## make the virtual environment and install the locked packages into it

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which one to use: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Making the virtual environment .venv and installing the packages of requirements/dev.txt (once)."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: $(STAMP) ## play the TCP echo scenario: no Docker and no root needed
	@echo "Playing scenarios/tcp_echo.yaml on two hosts made of Linux namespaces."
	@$(RUNNER) run scenarios/tcp_echo.yaml --engine netns

test: $(STAMP) ## run all tests; what needs Docker or root is skipped with its reason where they are missing
	@echo "Running all tests."
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: $(STAMP) ## format, lint, types, import rules and the tests that need neither root nor Docker
	@echo "Checking the form."
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@echo "Checking types."
	@$(BIN)/mypy --no-error-summary
	@echo "Checking that imports flow downwards."
	@$(BIN)/lint-imports >.venv/imports.log || { cat .venv/imports.log; exit 1; }
	@echo "Running the tests that need neither root nor Docker."
	@$(BIN)/python -m pytest -q -n 2 --hypothesis-profile brief -m "not docker and not root and not slow"

format: $(STAMP) ## bring the code into the one form
	@echo "Formatting."
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lab-up: $(STAMP) ## start the Docker lab: hosts server and client
	@echo "Starting the lab of docker-compose.yml."
	@$(BIN)/python -m lab.compose up

lab-down: $(STAMP) ## stop the Docker lab and remove all of it
	@echo "Taking the lab of docker-compose.yml down."
	@$(BIN)/python -m lab.compose down

lab-status: $(STAMP) ## say whether the Docker lab is up, and its addresses
	@$(BIN)/python -m lab.compose status

images: $(STAMP) ## build the image of the Docker hosts
	@echo "Building the image of the lab's hosts."
	@$(BIN)/python -m lab.images

bench: $(STAMP) ## measure, each figure beside its reference
	@echo "Measuring; this takes a minute or two."
	@$(BIN)/python -m tests.bench

docs: $(STAMP) ## make the pages of docs/ from the code and from recorded runs; plays scenarios that are new
	@echo "Making docs/reference."
	@$(BIN)/python -m runner.pages
	@echo "Making docs/scenarios.md and docs/c-and-python.md."
	@$(BIN)/python -m runner.guide

site: $(STAMP) ## build the documentation as a site in build/site; a dead link is an error
	@echo "Building build/site."
	@$(BIN)/python -m sphinx -q -W --keep-going -c docs -d build/trees . build/site
	@echo "Open build/site/index.html."

pictures: $(STAMP) ## make the pictures of the report page in docs/pictures; needs chromium
	@echo "Making docs/pictures."
	@$(BIN)/python -m runner.guide --pictures

clean: $(STAMP) ## remove what killed runs left behind, and nothing else
	@echo "Looking for what killed runs left behind."
	@$(RUNNER) clean
