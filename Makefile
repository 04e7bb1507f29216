# The door to tools/local.py, which does the work. PULUMI=/path|install|build chooses the Pulumi; ARGS="..." is added
# to the command behind (`make test ARGS="-k polling"`).
PYTHON ?= python3
export PULUMI ARGS

.DEFAULT_GOAL := help
.PHONY: help setup up preview refresh destroy down test lint bench fuzz audit clean lock
.NOTPARALLEL:

help:
	@echo 'make up        take the two example offers live: a real `pulumi up` against the simulator'
	@echo 'make test      run every test, unit to real engine'
	@echo
	@echo 'make preview   show what `make up` would do'
	@echo 'make refresh   read the present state of the offers'
	@echo 'make destroy   remove the offers from the stack (they stay live)'
	@echo 'make down      end the simulator'
	@echo 'make lint      run the linters'
	@echo 'make bench     run the benchmarks'
	@echo 'make fuzz      drive the properties of bad input with atheris, a minute each'
	@echo 'make audit     ask the package index whether a weakness of a pinned package is known'
	@echo 'make setup     get ready: .venv, the pinned packages, a Pulumi'
	@echo 'make lock      compile pyproject.toml into the pinned requirements'
	@echo 'make clean     end the simulator and remove all that was made'

setup up preview refresh destroy down test lint bench fuzz audit clean lock:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { echo 'Python 3.10 or newer is needed, and there is no `$(PYTHON)` here.' >&2; exit 1; }
	@"$(PYTHON)" -m tools.local $@
