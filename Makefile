# Everything a fresh machine needs: `make demo`, `make test`. Each sets up .venv first, once.

PYTHON ?= python3
# What is installed beside the package; CI adds the optional parts that tests can use.
EXTRAS ?= dev
BIN := .venv/bin
# uv does not read pip's own settings: hand it pip's folder of wheels where there is one, else let
# it choose the torch build that fits this machine.
UV_SETTINGS := $(if $(PIP_FIND_LINKS),UV_FIND_LINKS="$(PIP_FIND_LINKS)",UV_TORCH_BACKEND=$${UV_TORCH_BACKEND:-auto})

.PHONY: demo test nightly lint docs lab clean

demo: .venv/ready
	$(BIN)/contraview demo

# Two processes, a test file in one of them: the suite is mostly torch on one thread each.
test: .venv/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile

nightly: .venv/ready
	$(BIN)/python -m pytest -m nightly

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

docs: .venv/ready
	$(BIN)/mkdocs build --strict

lab: .venv/ready
	$(BIN)/python -m lab --out runs/lab

clean:
	rm -rf .venv site runs

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV_SETTINGS) $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@
