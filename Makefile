# make demo and make test set everything up by themselves, in .venv; make help lists the rest.
SHELL := /bin/sh
VENV := .venv
RUN := $(VENV)/bin/gluon-resnet
# A process for each core, one thread in each: most tests are too small to use several threads.
PYTEST := env OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n auto --maxprocesses 8 --dist loadfile
SECONDS := 60
DEMO := --model resnet18 --no-resize --limit 24000 --epochs 3

.PHONY: help demo test test-quick lint fuzz test-slow test-faults test-distributed test-allreduce parity doctor bench check-cu112 browser test-pythons constraints setup setup-dev clean \
	setup-book chapters chapters-full book linkcheck

help:
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

setup:
	@sh scripts/setup.sh $(VENV) requirements.txt

setup-dev:
	@sh scripts/setup.sh $(VENV) requirements.txt requirements-dev.txt

demo: setup  ## ResNet-18's layer shapes, then a short real training run on a part of Fashion-MNIST
	@$(RUN) data fashion-mnist
	@echo; $(RUN) shapes resnet18 --input 1,1,224,224
	@echo; $(RUN) train fashion-mnist $(DEMO)

test: setup-dev  ## the tests; no network needed once the packages are in
	@$(PYTEST)

test-quick: setup-dev  ## one test or more of each sub-package, under 90 seconds: for while you work
	@$(PYTEST) -m quick

lint: setup-dev  ## format, rules and types: ruff and mypy
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy

fuzz: setup-dev  ## hostile inputs that take seconds each, then damaged files for every parser: SECONDS=60
	@$(VENV)/bin/python -m pytest -q -m fuzz tests/fuzz
	@$(VENV)/bin/python -m tests.fuzz --seconds $(SECONDS)

test-faults: setup-dev  ## kills, every bit and byte of a checkpoint, each option resumed, memory of long runs (about 20 minutes)
	@$(VENV)/bin/python -m pytest -q -s -m faults

test-slow: setup-dev  ## the accuracies a reader should reach, on the full data (about 20 minutes)
	@$(VENV)/bin/python -m pytest -q -m slow

test-distributed: setup-dev  ## several workers: equal results, and what is killed, stopped or out of reach (about 10 minutes)
	@$(VENV)/bin/python -m pytest -q -m distributed tests/distributed

test-allreduce: setup-dev  ## workers that sum by MPI (installs Open MPI and mpi4py once)
	@sh scripts/allreduce.sh $(VENV)

setup-book:
	@sh scripts/setup.sh $(VENV) requirements.txt requirements-dev.txt requirements-book.txt

chapters: setup-dev  ## every chapter of the book in its tiny mode (minutes)
	@$(VENV)/bin/python -m book.run --all --mode tiny

chapters-full: setup-dev  ## in full the chapters whose kept results do not belong to their code; all of them with ALL=1
	@$(VENV)/bin/python -m book.run --all --mode full $(if $(ALL),,--stale)

book: setup-book chapters-full  ## the book as HTML, in book/_build/html (Python 3.10 or newer)
	@$(VENV)/bin/python -m book.assemble
	@$(VENV)/bin/python -m sphinx -q -W --keep-going -b html -c book book/_build/source book/_build/html
	@$(VENV)/bin/python -m sphinx -q -W --keep-going -b html -c book -D language=zh_CN book/_build/source/zh book/_build/html/zh
	@$(VENV)/bin/python -m book.links book/_build/html
	@echo "book/_build/html/index.html"

linkcheck: setup-book  ## follow the book's links to other hosts (needs a network; after make book)
	@$(VENV)/bin/python -m sphinx -q -b linkcheck -c book book/_build/source book/_build/linkcheck

doctor: setup  ## look this machine over
	@$(RUN) doctor

bench: setup  ## training, predicting and cost by depth, next to d2l, PyTorch, TensorFlow, ONNX Runtime, OpenVINO (hours; 3.3 GB)
	@sh scripts/bench.sh $(VENV)

parity: setup-dev  ## weights of live Keras, PyTorch, timm and gluoncv read and compared (5 minutes; installs 3.1 GB once)
	@sh scripts/parity.sh $(VENV)

browser: setup-dev  ## the built book and reports of runs in Debian's Chromium: console, contrast, keyboard, search, pictures of all pages
	@sh scripts/browser.sh $(VENV)

check-cu112:  ## the CUDA build without a card: install it, load it, train a step on the CPU (4 GB)
	@sh scripts/check-cu112.sh .venv-cu112

test-pythons:  ## the tests on every Python 3.8 to 3.13 found
	@sh scripts/test-pythons.sh

constraints:  ## pin everything below requirements*.txt again (needs uv)
	@sh scripts/constraints.sh

clean:  ## remove the environments; data and runs stay
	rm -rf .venv .venv-*
