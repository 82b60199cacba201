.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# One thread a test process: two processes share two cores, and sums are rounded the same everywhere.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: help setup demo test test-miniature test-slow test-hostile test-numerics test-newest test-oldest lint types \
  format docs screenshots notebooks attack bench memory-table clients report world miniature miniature-report clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## create .venv with imprint and all it needs

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
ifdef RESOLUTION
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --resolution $(RESOLUTION) --upgrade \
	  $(if $(TORCH),--torch-backend $(TORCH)) --editable '.[dev]'
else
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
endif
	@touch $@

# Two processes, since the threads of one wait for one another wherever something else is running.
demo: setup  ## compare the methods on the built-in miniature, on this machine's CPU, and open a report
	$(BIN)/imprint train -m experiment=demo hydra/launcher=joblib
	$(BIN)/imprint report outputs/demo/sweeps/demo open=true

test: setup  ## run every test but the slow ones and the miniature's own
	$(PYTEST) -m "not slow" --ignore tests/unit/miniature

test-miniature: setup  ## run the tests of how the built-in model is made and measured
	$(PYTEST) -m "not slow" tests/unit/miniature

test-slow: setup  ## run the slow tests: whole programs, several processes
	$(PYTEST) --dist loadgroup -m slow

# So many examples a test, and other ones each time. What fails is printed with a line that makes it again.
test-hostile: EXAMPLES ?= 2000
test-hostile: setup  ## invent bad input for every reader of files, for an hour or two: EXAMPLES=2000
	HOSTILE_EXAMPLES=$(EXAMPLES) $(PYTEST) --timeout 0 tests/hostile

test-numerics: setup  ## run the tests that compare numbers, as on several processors
	$(BIN)/python tests/processors.py
# In environments of their own, resolved by uv without constraints.txt. "Oldest" is each direct dependency at its lower
# bound; what those need in turn is as new as they allow. PyPI's torch brings CUDA along, which is large: TORCH=cpu has
# uv take it from PyTorch's own index instead. Who has torch from elsewhere leaves that out and configures uv.
test-newest:  ## run the tests on the newest released versions of everything: PYTHON=python3.13 TORCH=cpu
	rm -f build/newest/.installed
	$(MAKE) test VENV=build/newest RESOLUTION=highest

test-oldest:  ## run the tests on the oldest versions that pyproject.toml allows: PYTHON=python3.10 TORCH=cpu
	rm -f build/oldest/.installed
	$(MAKE) test VENV=build/oldest RESOLUTION=lowest-direct

docs: setup  ## build the documentation from docs/, docstrings and conf/: build/docs/index.html
	$(BIN)/python docs/generate.py build/docs-source
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -b html -c docs build/docs-source build/docs

# Needs Chromium. WORK keeps what is trained, so that it is not trained again.
screenshots: WORK ?= build/screenshots
screenshots: setup  ## take the pictures of pages that the documentation shows: docs/screenshots/
	$(BIN)/python docs/screenshots.py $(WORK)

notebooks: setup  ## run the notebooks on the miniature, and keep them with their outputs
	$(BIN)/python notebooks/execute.py

lint: setup  ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## check types
	$(BIN)/mypy

format: setup  ## put the code in its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Killed, it goes on where it was. KINDS chooses some: KINDS="saving 'full disk'"; ARGS may say more, as in ARGS="--seed 1".
attack: COUNT ?= 20
attack: setup  ## kill programs at random moments, and compare what the next ones make of it: COUNT=20
	OMP_NUM_THREADS=1 $(BIN)/python tests/attack --count $(COUNT) $(if $(KINDS),--kinds $(KINDS)) $(ARGS)

# CASES chooses others, as in CASES="grid-mini-* quality-*"; benchmarks/run.py --list names them.
bench: setup  ## measure short cases against a plain loop, or PEER=diffusers checkout: benchmarks/results/
	$(BIN)/python benchmarks/run.py $(if $(PEER),--peer $(PEER)) $(CASES)

# Killed, it goes on where it was.
memory-table: setup  ## estimate what training takes of a GPU, for each family and method: into docs/memory.md
	$(BIN)/python benchmarks/memory_table.py $(ARGS)

# ARGS may say more, as in ARGS="--families sd1 --markdown table.md".
clients: setup  ## try files in other programs' own code: COMFYUI=folder A1111= SD_SCRIPTS= LYCORIS= OLD_DIFFUSERS=python
	$(BIN)/python tests/clients/check.py $(ARGS)

report: setup  ## write one page about all runs in outputs/
	$(BIN)/imprint report outputs open=true

world: setup  ## draw contact sheets of the miniature's world: outputs/world/
	$(BIN)/python -m imprint.miniature sheet outputs/world

# Killed, it goes on where it was. WORK holds caches and checkpoints; ARGS may say more, as in ARGS="--minutes 60".
miniature: WORK ?= outputs/miniature
miniature: setup  ## make the miniature's weights and evaluators from nothing, in hours: WORK=folder
	$(BIN)/python -m imprint.miniature pretrain --work $(WORK) $(ARGS)

miniature-report: FLOW := src/imprint/miniature/flow_weights
miniature-report: setup  ## measure the miniature: report beside its weights, sheet in docs/, tables in its cards
	$(BIN)/python -m imprint.miniature report --sheet docs/miniature.jpg $(ARGS)
	$(BIN)/python -m imprint.miniature report --weights $(FLOW) --out $(FLOW) --cards $(FLOW)/README.md \
	  --sheet docs/miniature_flow.jpg --parts generator realism costs sheet $(ARGS)
	$(BIN)/python -m imprint.miniature upscaling --sheet docs/miniature_upscaler.png
	$(BIN)/python -m imprint.miniature sheet docs --what engravings --size 128

clean:  ## remove what was built here; runs in outputs/ stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
