.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help setup demo test test-fast lint types imports docs parity coverage bench bench-measures bench-scale bench-rankings bench-centre bench-attacks bench-attributions bench-rerank check clean

help:  ## Say what each verb does.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/report: $(VENV)/core
	$(PIP) install -c constraints.txt -e '.[report]'
	@touch $@

$(VENV)/full: $(VENV)/core
	$(PIP) install -c constraints.txt -e '.[pandas,duckdb,spark,connect,delta,iceberg,centre,postgres,objects,torch,explain,onnx,images]' --group test --group lint
	# An oracle of attacks, unkept since 2023: it asks for a requests of 2021 and for torchvision,
	# which brings a PyTorch with CUDA, and needs neither to attack.
	$(PIP) install --no-deps torchattacks==3.5.1
	@touch $@

$(VENV)/centre: $(VENV)/report
	$(PIP) install -c constraints.txt -e '.[centre]'
	@touch $@

$(VENV)/demo: $(VENV)/centre
	$(PIP) install -c constraints.txt -e '.[demo]'
	@touch $@

setup: $(VENV)/core  ## Make .venv with Evenhand in it; every other verb does this first.

demo: $(VENV)/demo  ## Audit simulated products, fill a centre and serve it; SERVE=0 stops before serving.
	# Its matrices are small: several threads would wait for each other.
	OMP_NUM_THREADS=1 $(BIN)/evenhand demo --out build/demo --force --centre $(if $(filter 0,$(SERVE)),,--serve)

test: $(VENV)/full  ## Run all tests, the slow ones too.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(VENV)/full  ## Run the tests that take seconds.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow'

lint: $(VENV)/full  ## Check style and format.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/full  ## Check types, strictly.
	$(BIN)/mypy

imports: $(VENV)/full  ## Check that layers import only what stands below them.
	$(BIN)/lint-imports

docs: $(VENV)/full  ## Write the pages that are generated from the code.
	$(BIN)/python docs/generate.py

parity: $(VENV)/full  ## Write docs/parity.md: our figures beside those of other tools.
	$(BIN)/python docs/parity.py

coverage: $(VENV)/full  ## Simulate how often each interval covers the truth, and write the table.
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/interval_coverage.py --write docs/coverage.md

bench: $(VENV)/full  ## Time and weigh the scan beside hand-written queries and Fairlearn.
	$(PIP) install -c constraints.txt --group bench
	$(BIN)/python benchmarks/scan.py

bench-measures: $(VENV)/full  ## Time many measures beside few, and score measures beside a kernel.
	$(PIP) install -c constraints.txt --group bench
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore benchmarks/measures.py

bench-scale: $(VENV)/full  ## Time audits of a million to a hundred million rows, on every engine.
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore benchmarks/scale.py

bench-rankings: $(VENV)/full  ## Time and weigh figures of ranked lists beside Polars by hand and peers.
	$(PIP) install -c constraints.txt --group bench
	OMP_NUM_THREADS=2 $(BIN)/python -W ignore benchmarks/rankings.py --large

bench-centre: $(VENV)/full  ## Load a centre of 20,000 bundles with readers and pushers, on SQLite and PostgreSQL.
	# The load tool stands apart: it changes Python's own input and output.
	$(PYTHON) -m venv .venv-load
	.venv-load/bin/python -m pip install --quiet --upgrade pip
	.venv-load/bin/python -m pip install --quiet -c constraints.txt --group load
	PYTHONPATH=tests $(BIN)/python -W ignore benchmarks/centre.py --locust .venv-load/bin/locust

bench-attacks: $(VENV)/full  ## Time attacks beside bare passes, Foolbox and ART, in one run.
	$(PIP) install -c constraints.txt --group bench
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore benchmarks/attacks.py

bench-attributions: $(VENV)/full  ## Time attributions beside Captum and bare passes, and the cards of images.
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore benchmarks/attributions.py
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore benchmarks/tables.py

bench-rerank: $(VENV)/full  ## Count requests a second of re-rankers beside a loop in Python and peers.
	# Peers pin what they need not: they run with what is there.
	$(PIP) install --no-deps fairsearchcore==1.0.4 FairRankTune==0.0.7
	$(PIP) install -c constraints.txt --group bench
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore benchmarks/rerank.py
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore benchmarks/rerank_solvers.py --users 100000

check: lint types imports test  ## Do all that CI does but the fresh environment.

clean:  ## Remove what the verbs made.
	rm -rf $(VENV) .venv-peers .venv-load .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
