# make quickstart   train, score and tag on the sample corpus
# make check        lint, types and the fast tests
# make test         lint, types and all tests
# make pictures     draw the sample's picture in the README again
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
RUN := runs/quickstart
AXE := 4.10.3
SENTENCE := Rabies, which foxes and bats carry, was studied by Louis Pasteur in Paris.

.PHONY: quickstart check test lint pictures

quickstart: $(RUN)/README.md
	$(BIN)/python inference.py --checkpoint $(RUN)
	$(BIN)/python inference.py --checkpoint $(RUN) --text "$(SENTENCE)"
	@printf '\n$(RUN) holds the checkpoint, its scores and predictions, and a model card (README.md).\n'
	@printf '$(RUN)/data holds an audit of the data, with pictures. Next: "Usage" in README.md.\n'

# The model card is the last file of a run. An interrupted training is resumed from its last complete checkpoint.
$(RUN)/README.md: | .venv/quickstart-installed
	$(BIN)/python data.py --dataset sample --output_dir $(RUN)
	$(BIN)/python train.py configs/quickstart.yaml $(if $(wildcard $(RUN)/checkpoint-*/trainer_state.json),--resume_from_checkpoint true,--overwrite_output_dir true)

check: lint
	$(BIN)/python -m pytest -q -m "not slow"

test: lint
	@[ -f .venv/node_modules/axe-core/axe.min.js ] || \
	  npm install --silent --no-save --no-package-lock --prefix .venv axe-core@$(AXE) || \
	  echo "axe-core could not be installed: the test of the report's accessibility will be skipped"
	$(BIN)/python -m pytest -q

lint: .venv/test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

pictures: .venv/installed
	$(BIN)/python data.py --dataset sample --output_dir runs/sample
	cp runs/sample/data/default-dataset.png readmefiles

.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(PIP) -r requirements.txt
	touch $@

.venv/quickstart-installed: requirements-quickstart.txt .venv/installed
	$(PIP) --no-deps -r requirements-quickstart.txt
	touch $@

.venv/test-installed: requirements-test.txt .venv/quickstart-installed
	$(PIP) -r requirements-test.txt
	touch $@
