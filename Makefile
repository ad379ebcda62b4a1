PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
RUN := runs/quickstart
AXE := 4.10.3
RUNS := $(RUN) $(RUN)_masked
SENTENCE := Rabies, which foxes and bats carry, was studied by Louis Pasteur in Paris.

.DEFAULT_GOAL := help
.PHONY: help quickstart check test encoders lint format pictures

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s%s\n", $$1, $$2}' Makefile

quickstart: $(RUN)/manifest.json  ## train on the sample corpus, score the test split, tag a sentence
	$(BIN)/python inference.py --checkpoint $(RUN)
	$(BIN)/python inference.py --checkpoint $(RUN) --text "$(SENTENCE)"
	@printf '\n$(RUN) holds the checkpoint, its scores and predictions, and a model card (README.md).\n'
	@printf 'runs/data/sample holds an audit of the data, with pictures. Next: "Your own data" in README.md.\n'

# The manifest is the last file of a run. An interrupted training is resumed from its last checkpoint, if it has one.
$(RUN)/manifest.json: | .venv/quickstart-installed
	$(BIN)/python data.py --dataset sample
	$(BIN)/python train.py configs/quickstart.yaml $(if $(wildcard $(RUN)/checkpoint-*),--resume_from_checkpoint true)

check: lint  ## lint, types and the fast tests
	$(BIN)/python -m pytest -q -m "not slow and not encoders"

test: lint  ## lint, types and all tests; five minutes on two cores
	@[ -f .venv/node_modules/axe-core/axe.min.js ] || \
	  npm install --silent --no-save --no-package-lock --prefix .venv axe-core@$(AXE) || \
	  echo "axe-core could not be installed: the test of the report's accessibility will be skipped"
	$(BIN)/python -m pytest -q -rs -n 2 --dist loadfile --no-loadscope-reorder

encoders: .venv/test-installed  ## test all encoders of docs/encoders.md, of which `make test` takes four
	$(BIN)/python -m pytest -q -m "" tests/encoder tests/training/test_dropout.py \
	  tests/test_examples.py::test_words_become_the_input_that_the_model_was_trained_with

lint: .venv/test-installed  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/test-installed  ## format the code and sort its imports
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

pictures: .venv/test-installed  ## draw the report's picture and the bar charts again; needs the runs of RUNS, and chromium
	$(BIN)/python data.py --dataset sample
	cp runs/data/sample/default-dataset.png runs/data/sample/default-dataset-dark.png readmefiles
	$(BIN)/python -m benchmarks.pictures $(RUNS)

.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(PIP) -r requirements.txt
	touch $@

.venv/quickstart-installed: requirements-quickstart.txt .venv/installed
	$(PIP) --no-deps -r requirements-quickstart.txt
	touch $@

.venv/test-installed: requirements-test.txt requirements-examples.txt .venv/quickstart-installed
	$(PIP) -r requirements-test.txt
	touch $@
