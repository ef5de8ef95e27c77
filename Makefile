# Two commands for a newcomer: `make quickstart` and `make test`. Each makes .venv where it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

.PHONY: quickstart test lint bench clean

quickstart: $(STAMP)
	$(BIN)/python launch/prepare.py --corpus=synthetic --data_dir=data
	$(BIN)/python launch/train.py --config=configs/pseudo_labelling.py:corpus=synthetic,labelled=0.2,seeds=3 \
	  --data_dir=data --workdir=runs/quickstart
	$(BIN)/python launch/evaluate.py --data_dir=data --workdir=runs/quickstart

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(PYTEST)

lint: $(STAMP)
	$(BIN)/ruff check .

$(STAMP): setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[all]'
	touch $@

clean:
	rm -rf runs/quickstart .cache .pytest_cache .ruff_cache
