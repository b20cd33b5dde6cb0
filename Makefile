# make train   trains the classic CNN on Fashion-MNIST       make test   runs the whole test suite
# make help    says the rest. Needs Python >= 3.10 with its headers, a C compiler and make; all else goes into .venv.

PYTHON ?= python3
VENV := .venv
# Paths are relative throughout: make can't have spaces in its targets, and the checkout may lie under any name.
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check
BUILD_REQUIRES := $(shell sed -n 's/^requires = \[\(.*\)\]/\1/p' pyproject.toml | tr -d ',')
SOURCES := pyproject.toml setup.py $(shell find csrc fastcnn -name '*.[ch]' ! -name core.c -o -name '*.def' -o -name '*.pyx' -o -name '*.pxi')
ARGS ?=

.DELETE_ON_ERROR:
.PHONY: help train test conformance bench bench-peers lint format wheel clean

help:
	@echo 'make train    train the classic CNN on Fashion-MNIST; model and picture in ./out (ARGS="--epochs 3" adds options)'
	@echo 'make test     run the test suite (ARGS="-k conv2d" chooses)'
	@echo 'make conformance  ONNX'"'"'s own conformance tests on fastcnn, counted; those that fail, with the reason'
	@echo 'make bench    measure this machine: training and prediction, against PyTorch and ONNX Runtime where installed'
	@echo 'make bench-peers  single layers of known networks against PyTorch, ONNX Runtime and OpenVINO, which it installs'
	@echo 'make lint     ruff, mypy and clang-format, changing nothing;  make format  lets them change files'
	@echo 'make wheel    build the wheel, repair it, install it in a clean environment and run the tests against it'
	@echo 'make clean    remove what was built, but not ./out'
	@echo
	@echo 'PYTHON=...          the Python to build for (now: $(PYTHON))'
	@echo 'FASTCNN_DATA_DIR    a folder with the datasets, looked at first'

train: $(VENV)/installed-plot
	$(VENV)/bin/fastcnn train fashion_mnist --epochs 10 --batch-size 32 --output out $(ARGS)

test: $(VENV)/installed-test
	$(RUN) -m pytest $(ARGS)

conformance: $(VENV)/installed-test
	$(RUN) tests/onnx/conformance.py $(ARGS)

bench: $(VENV)/installed-plot
	$(VENV)/bin/fastcnn bench $(ARGS)

# Hours, with all batches; ARGS='--batch 1 16 --match 3x3' chooses. A run that was stopped goes on where it was.
bench-peers: $(VENV)/installed-bench
	@mkdir -p out
	$(VENV)/bin/fastcnn bench --layers benchmarks/shapes/*.txt --results out/bench-peers.json --chart out/bench-peers.png $(ARGS)

lint: $(VENV)/installed-lint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	git ls-files -z 'csrc/*.c' 'csrc/*.h' 'fastcnn/*.h' 'tests/*.c' 'tests/*.h' | xargs -0 $(VENV)/bin/clang-format --dry-run --Werror

format: $(VENV)/installed-lint
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .
	git ls-files -z 'csrc/*.c' 'csrc/*.h' 'fastcnn/*.h' 'tests/*.c' 'tests/*.h' | xargs -0 $(VENV)/bin/clang-format -i

wheel:
	PYTHON="$(PYTHON)" bash .ci/check_wheel

clean:
	rm -rf $(VENV) build dist wheelhouse *.egg-info fastcnn/_ops/core.c .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find fastcnn -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment and the build tools, once. The stamps are files, so that a second run has nothing to do.
$(VENV)/made: pyproject.toml
	@bash .ci/check_python "$(PYTHON)"
	@echo "Making the environment $(VENV) with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(PIP) install -q --upgrade 'pip>=23' $(BUILD_REQUIRES)
	@touch $@

# The package, linked to this checkout (changes to .py files count at once), with one set of extras.
$(VENV)/installed-%: $(VENV)/made $(SOURCES)
	@echo "Building fastcnn and installing it into $(VENV) with the extras for '$*' ..."
	@PYTHONWARNINGS=ignore $(PIP) install -q --no-build-isolation -e '.[$*]'
	@touch $@
