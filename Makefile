# make bench   int8 cry detector on real recordings: latency, parity, verdict
# make test    every test
# Both set up .venv themselves; they need python3 (3.10 or later) with venv, a C compiler and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
SOURCES := $(shell find csrc babycry_edge convert bench -type f ! -name '*.so' ! -name '*.pyc') \
	CMakeLists.txt pyproject.toml
DATA ?= ../shared/data

.PHONY: bench test speed lint reference docs clean

bench: $(VENV)/bench.stamp $(VENV)/package.stamp
	$(BIN)/babycry-edge bench $(BENCH)

test: $(VENV)/test.stamp $(VENV)/package.stamp
	$(BIN)/pytest $(PYTEST)

# front-end speed beside librosa's, and start-up time
speed: $(VENV)/test.stamp $(VENV)/package.stamp
	$(BIN)/pytest bench/suites -s --benchmark-json=build/speed.json

lint: $(VENV)/test.stamp $(VENV)/package.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# trains, cross-validates, converts and writes babycry_edge/models; wants the recordings in DATA
reference: $(VENV)/test.stamp $(VENV)/package.stamp
	$(BIN)/python -m babycry_convert.reference.build --data $(DATA)

$(VENV)/pip.stamp:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/bench.stamp: requirements/bench.txt requirements/constraints.txt | $(VENV)/pip.stamp
	$(PIP) install -c requirements/constraints.txt -r requirements/bench.txt
	touch $@

$(VENV)/test.stamp: requirements/test.txt requirements/convert.txt requirements/constraints.txt \
		$(VENV)/bench.stamp
	$(PIP) install -c requirements/constraints.txt -r requirements/test.txt
	$(PIP) install --no-deps -c requirements/constraints.txt -r requirements/convert.txt
	touch $@

# after the libraries, so that only the package itself is installed anew when a source changes
$(VENV)/package.stamp: $(SOURCES) | $(VENV)/pip.stamp
	$(PIP) install --no-deps --force-reinstall .
	touch $@

clean:
	rm -rf $(VENV) build dist
