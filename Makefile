# make setup | demo | test | check | full: the whole project from a fresh clone, with Python 3.11 and make alone.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed.stamp
SPACE_MB := 6000
# The environment takes 3.7 GB, most of it torch and tensorflow; pip unpacks beside it.

.PHONY: setup demo full test lint types imports check clean
setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: Python 3.11 is missing: install python3.11, or name yours with PYTHON=/path/to/python3.11" >&2; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "make: $(PYTHON) is not Python 3.11, which tflite-runtime needs: name one with PYTHON=/path/to/python3.11" >&2; exit 3; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: the venv module of $(PYTHON) is missing: install Debian's python3.11-venv, or another complete Python 3.11" >&2; exit 3; }
	@test -x $(BIN)/python || test $$(df -Pm . | awk 'NR==2 {print $$4}') -ge $(SPACE_MB) || { echo "make: less than $(SPACE_MB) MB are free in this folder: free some space, the environment needs them" >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt $(PIP_FLAGS) --editable '.[all]'
	@touch $@

demo: $(STAMP)
	$(BIN)/pixie demo --out out/demo

full: $(STAMP)
	$(BIN)/pixie demo --scale full --out out/full

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

check: lint types imports test

clean:
	rm -rf $(VENV) out build *.egg-info
