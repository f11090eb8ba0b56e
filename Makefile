# `make demo` and `make test` are all a fresh machine needs: both build the environment first and reuse it while it is current.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := benchmarks/.venv-peers
STAMP := $(VENV)/.installed

.PHONY: install demo test test-slow check format bench clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "medauc needs Python 3.11 or newer; name one with 'make PYTHON=...'"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 lacks venv (on Debian: apt-get install python3-venv)"; exit 2; }
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/medauc demo

# One process a core, one thread each: two that compute with both cores get in each other's way.
test: install
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist worksteal

test-slow: install
	$(BIN)/pytest -m slow

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Against LibAUC and kornia, in an environment of their own; best on a quiet machine (benchmarks/README.md).
bench: install $(PEERS)/.installed
	$(BIN)/python benchmarks/startup.py
	$(PEERS)/bin/python benchmarks/pesg_step.py
	$(PEERS)/bin/python benchmarks/losses.py
	$(PEERS)/bin/python -W ignore benchmarks/all_pairs.py
	$(PEERS)/bin/python benchmarks/augment_throughput.py
	$(PEERS)/bin/python -W ignore benchmarks/metrics_speed.py
	$(PEERS)/bin/python benchmarks/training_throughput.py

$(PEERS)/.installed: constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --constraint constraints.txt torch monai numpy scipy scikit-learn tqdm \
		pandas platformdirs pooch pydantic safetensors
	$(PEERS)/bin/pip install --quiet --no-deps libauc==2.0.1 torchvision pillow kornia==0.9.0 kornia_rs==0.2.0 --editable .
	$(PEERS)/bin/pip install --quiet --constraint constraints.txt matplotlib statsmodels
	$(PEERS)/bin/pip install --quiet --no-deps pauc==0.2.2 confidenceinterval==1.0.5 MLstatkit==0.1.91
	@touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
