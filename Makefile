# make bench   int8 cry detector on real recordings: latency, parity, verdict, HTML report
# make test    every test
# Both set up .venv themselves; they need python3 (3.10 or later) with venv, a C compiler and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
SOURCES := CMakeLists.txt pyproject.toml constraints.txt convert/requirements.txt \
	$(shell find csrc babycry_edge convert/babycry_convert bench/babycry_bench \
	-type f ! -name '*.so' ! -name '*.pyc' ! -name '.*')
DATA ?= ../shared/data

.PHONY: bench bench-targets test speed lint docs reference zoo tensorflow-env clean

bench: $(VENV)/bench.stamp
	mkdir -p build
	$(BIN)/babycry-edge bench --json build/bench.json --html build/bench.html $(BENCH)

# this machine and every emulated target in one report; wants cross compilers, qemu and mmdebstrap
bench-targets: $(VENV)/test.stamp
	mkdir -p build
	$(BIN)/babycry-edge bench --emulate all --json build/targets.json --html build/targets.html \
		--markdown build/targets.md --junit build/targets.xml $(BENCH)

test: $(VENV)/test.stamp
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PYTEST)

# front-end speed beside other libraries', and start-up time; writes bench/results and docs/bench.md
speed: $(VENV)/test.stamp
	mkdir -p build
	$(BIN)/pytest bench/suites -s --benchmark-json=build/speed.json
	PYTHONSAFEPATH=1 $(BIN)/python -m babycry_bench.speed_table build/speed.json

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/test.stamp
	$(BIN)/mkdocs build --strict --quiet --site-dir build/site

# trains, cross-validates, converts and writes babycry_edge/models; wants the recordings in DATA
reference: $(VENV)/test.stamp
	PYTHONSAFEPATH=1 $(BIN)/python -m babycry_convert.reference.build --data $(DATA)

# TensorFlow apart from everything else: set BABYCRY_TENSORFLOW_PYTHON to its bin/python
tensorflow-env: .venv-tensorflow/pip.stamp

.venv-tensorflow/pip.stamp: convert/tensorflow-requirements.txt
	$(PYTHON) -m venv .venv-tensorflow
	.venv-tensorflow/bin/pip --disable-pip-version-check --quiet install -r $<
	touch $@

# trains every system of the zoo on the recordings in DATA, converts and judges each, and writes
# bench/results and docs/zoo.md; ZOO="--only dnn" for a part, which writes neither
zoo: $(VENV)/test.stamp
	PYTHONSAFEPATH=1 $(BIN)/python -m babycry_convert.zoo_training --data $(DATA) --out build/zoo --reuse $(ZOO)
	PYTHONSAFEPATH=1 $(BIN)/python -m babycry_bench.zoo --out build/zoo $(if $(ZOO),$(ZOO),--publish)

$(VENV)/pip.stamp:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/bench.stamp: $(SOURCES) | $(VENV)/pip.stamp
	@echo "installing into $(VENV), some minutes the first time"
	$(PIP) install -c constraints.txt '.[bench,oracle]'
	touch $@

$(VENV)/test.stamp: $(SOURCES) | $(VENV)/pip.stamp
	@echo "installing into $(VENV), some minutes the first time"
	$(PIP) install -c constraints.txt '.[dev]'
	$(PIP) install --no-deps -r convert/requirements.txt
	$(PIP) install --no-deps torchaudio==2.11.0 openai-whisper==20250625 torchvision==0.28.0  # oracles
	touch $@

clean:
	rm -rf $(VENV) .venv-tensorflow build dist site
