# Every Pixel. `make` alone lists what there is; `make book` and `make test` need Python 3.11-3.13, make, and nothing else.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PAGES  := _build/html/index.html

# A notebook's kernel runs in chapters/, so a relative folder of data would point nowhere from there.
ifneq ($(SEGNB_DATA),)
ifeq ($(filter /% generated,$(SEGNB_DATA)),)
override SEGNB_DATA := $(CURDIR)/$(SEGNB_DATA)
endif
export SEGNB_DATA
endif
ifneq ($(SEGNB_REAL),)
override SEGNB_REAL := $(abspath $(SEGNB_REAL))
export SEGNB_REAL
endif

.DEFAULT_GOAL := help
.PHONY: help venv book test lab execute exercises mutants family studies restamp weights real bench fuzz address release offline colab oldest other-cpu lint format clean

help:
	@echo 'Every Pixel: semantic segmentation networks, built step by step'
	@echo
	@echo '  make book                 build the site from the stored outputs, say where it is'
	@echo '  make test                 run everything: tests, every notebook, the site with warnings as errors'
	@echo '  make lab                  open the chapters in JupyterLab'
	@echo
	@echo '  make execute [NB=file]    run the notebooks (or one) from a clean kernel and store their outputs'
	@echo '  make exercises            write the exercise sheets from the solution notebooks'
	@echo '  make mutants              put faults into every right answer and see that the checks find them'
	@echo '  make family               draw the four networks of the front page again'
	@echo '  make studies [NAME=name]  run the studies (or one) and write book/results/NAME.json'
	@echo '  make real [NAME=name]     the same on the real data sets; SEGNB_DATA=folder says where they are'
	@echo '  make restamp [NAME=name] [SINCE=commit]   stamp results whose numbers a change has left as they were'
	@echo '  make weights              train the small networks that come with segnb'
	@echo '  make bench                time segnb against its peers'
	@echo '  make fuzz [SECONDS=600]   look for what breaks, with ever new examples, until stopped or so long'
	@echo '  make address [REPO=you/every-pixel] [SITE=https://...]   set the public address (of the site too) everywhere'
	@echo '  make release VERSION=x.y.z   test, write the version everywhere, try the wheel, commit, tag'
	@echo '  make offline              a folder for a room without internet: package, notebooks, site, data'
	@echo '  make colab [PY=3.12] [NB=file]   run the notebooks on the versions that Colab has, record what came of it'
	@echo '  make oldest | other-cpu   the same on the lowest versions that are allowed | with other arithmetic'
	@echo '  make lint | format        look for slips in code and notebooks | lay them out'
	@echo '  make clean                remove what make built, the virtual environment too'

# One environment for everything. It is made again, in place, when a list of requirements changes.
venv: $(STAMP)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "This course needs Python 3.11, 3.12 or 3.13; \"$(PYTHON)\" is: $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make book PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "$(PYTHON) cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)."; exit 1; }

$(STAMP): requirements.txt book/requirements.txt tests/requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check 'setuptools>=77' \
	  -r requirements.txt -r book/requirements.txt -r tests/requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $(STAMP)

# --all: a build that finds no changed page copies no changed style, and repeats no warning.
# jupyter-book may end without an error and without a page; only the page itself is proof.
book: $(STAMP)
	@rm -f $(PAGES)
	$(BIN)/jupyter-book build . --all -W -n --keep-going --quiet
	@test -s $(PAGES) || { echo 'The build ended without writing $(PAGES).'; exit 1; }
	@echo
	@echo 'The book is at file://$(CURDIR)/$(PAGES)'
	@$(BIN)/python -m book.tools.address --report

test: $(STAMP)
	SEGNB_DATA=generated $(BIN)/python tests/run.py

lab: $(STAMP)
	$(BIN)/jupyter lab chapters

execute: $(STAMP)
	SEGNB_DATA=generated $(BIN)/python -m book.tools.execute $(NB)

exercises: $(STAMP)
	$(BIN)/python -m book.tools.exercises

mutants: $(STAMP)
	$(BIN)/python -m book.tools.mutants $(NAME)

family: $(STAMP)
	$(BIN)/python -m book.tools.family

studies: $(STAMP)
	SEGNB_DATA=generated $(BIN)/python -m book.tools.studies $(NAME)

# One seed's brief run before and after has to be equal. For studies of real data, SEGNB_DATA=folder says where they are.
restamp: $(STAMP)
	$(BIN)/python -m book.tools.studies --restamp $(if $(SINCE),--since $(SINCE)) $(NAME)

real: $(STAMP)
	$(BIN)/python -m book.tools.studies --real $(NAME)

weights: $(STAMP)
	SEGNB_DATA=generated $(BIN)/python -m book.tools.weights

bench: $(STAMP)
	@status=0; for file in tests/bench/bench_*.py; do \
	  echo "== $$file"; $(BIN)/python $$file || status=1; done; exit $$status

# The tests try a few fixed examples of the same laws.
fuzz: $(STAMP)
	@SEGNB_DATA=generated $(BIN)/python -m tests.fuzz.open_ended $(if $(SECONDS),--seconds $(SECONDS))

address: $(STAMP)
	$(BIN)/python -m book.tools.address $(REPO) $(if $(SITE),--site $(SITE))

release: $(STAMP)
	SEGNB_DATA=generated $(BIN)/python -m book.tools.release $(VERSION)

offline: book
	$(BIN)/python -m book.tools.offline

# Each needs the Python it is named after, and keeps an environment of 5 GB in ENVIRONMENTS. MISSING=--missing goes on
# where a run was stopped, or after notebooks have changed.
ELSEWHERE = $(BIN)/python -m book.tools.elsewhere --environments $(ENVIRONMENTS)
ENVIRONMENTS ?= build/environments
PY ?= 3.13 3.12

colab: $(STAMP)
	@status=0; for version in $(PY); do $(ELSEWHERE) colab-$$version $(NB) $(MISSING) || status=1; done; exit $$status

oldest other-cpu: $(STAMP)
	$(ELSEWHERE) $@ $(NB) $(MISSING)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf _build build segnb.egg-info .pytest_cache .hypothesis .ruff_cache $(VENV)
