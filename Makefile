# Scrapeboard: `make run` serves it, `make test` checks all of it. Both set up what they need.

PYTHON ?= python3
VENV := .venv
TEST_VENV := .venv-test
BIN := $(VENV)/bin
TEST_BIN := $(TEST_VENV)/bin
PIP_FLAGS := --quiet --disable-pip-version-check
# The tests' many libraries are installed by uv, which takes a fifth of pip's time; by pip where uv finds no index.
UV := uv==0.13.9
test-install = $(TEST_BIN)/uv pip install --quiet --compile-bytecode --python $(TEST_BIN)/python $(1) || \
	$(TEST_BIN)/pip install $(PIP_FLAGS) $(1)

unexport PYTHONDONTWRITEBYTECODE  # where it is set, each of the hundred apps that tests start would be compiled anew

.PHONY: run demo screenshots test all-tests lint bench clean
.DEFAULT_GOAL := run

run: $(VENV)/ready  ## Serve on http://127.0.0.1:8050 (settings: see README.md)
	exec $(BIN)/python app.py

demo: $(VENV)/ready-demo  ## Crawl real pages with real scrapers into the running app (starts it when it isn't up)
	tools/system-packages docs chromium
	exec $(BIN)/python -m examples.demo

screenshots: $(VENV)/ready-demo  ## Take the pictures in docs/screenshots anew
	tools/system-packages chromium
	exec $(BIN)/python -m examples.screenshots

test: $(TEST_VENV)/ready  ## Lint, types, layering and all tests, on real servers
	tools/system-packages chromium mariadb redis nginx docs
	$(MAKE) --no-print-directory -j2 lint all-tests  # side by side: most tests wait more than they compute

all-tests: $(TEST_VENV)/ready
	$(TEST_BIN)/python -m tests.run -n 4 --dist loadgroup

lint: $(TEST_VENV)/ready
	$(TEST_BIN)/ruff check .
	$(TEST_BIN)/ruff format --check .
	$(TEST_BIN)/mypy
	$(TEST_BIN)/lint-imports

bench: $(TEST_VENV)/ready-bench  ## Measure: each prints one JSON document
	tools/system-packages mariadb galera redis
	$(TEST_BIN)/python -m bench

clean:
	rm -rf $(VENV) $(TEST_VENV)

$(VENV)/ready: requirements.txt
	tools/system-packages venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) -r requirements.txt
	touch $@

$(VENV)/ready-demo: $(VENV)/ready requirements-demo.txt
	$(BIN)/pip install $(PIP_FLAGS) -r requirements-demo.txt
	touch $@

$(TEST_VENV)/ready-bench: $(TEST_VENV)/ready requirements-bench.txt
	$(TEST_BIN)/pip install $(PIP_FLAGS) -r requirements-bench.txt
	touch $@

# Two steps, because dash[testing] needs an older selenium and urllib3 than the app has.
$(TEST_VENV)/ready: requirements.txt requirements-demo.txt requirements-test.txt
	tools/system-packages venv
	$(PYTHON) -m venv $(TEST_VENV)
	$(TEST_BIN)/pip install $(PIP_FLAGS) $(UV)
	$(call test-install,-r requirements.txt -r requirements-demo.txt)
	$(call test-install,-r requirements-test.txt)
	touch $@
