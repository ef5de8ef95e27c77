# Two commands for a newcomer: `make quickstart` and `make test`. Each makes .venv where it is missing.
PYTHON ?= python3
VENV ?= .venv
BEAM ?= .venv-beam
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

.PHONY: quickstart test test-all lint beam bench clean

quickstart: $(STAMP)
	$(BIN)/python launch/prepare.py --corpus=synthetic --data_dir=data
	$(BIN)/python launch/train.py --config=configs/pseudo_labelling.py:corpus=synthetic,labelled=0.2,seeds=3 \
	  --data_dir=data --workdir=runs/quickstart
	$(BIN)/python launch/evaluate.py --data_dir=data --workdir=runs/quickstart

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations=10 $(PYTEST)

# Every test, with programs optimised as a user's are, which takes three times as long. `make test` compiles without
# optimising and leaves out what is marked slow; .ci/run runs so what tests/optimised.py names for the files changed.
test-all:
	SEJAX_OPTIMISED=1 $(MAKE) test

lint: $(STAMP)
	$(BIN)/ruff check .

# An environment of its own for openSMILE through Apache Beam, which keeps protobuf below 7, and its tests in it.
beam: $(BEAM)/.installed
	$(BEAM)/bin/python -m pytest tests/data/vectors/test_beam.py

$(BEAM)/.installed: setup.py
	test -x $(BEAM)/bin/python || $(PYTHON) -m venv $(BEAM)
	$(BEAM)/bin/python -m pip install --quiet --upgrade pip
	$(BEAM)/bin/python -m pip install --quiet --editable '.[data,beam,dev]'
	touch $@

$(STAMP): setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[all]'
	touch $@

clean:
	rm -rf runs/quickstart .cache .pytest_cache .ruff_cache
