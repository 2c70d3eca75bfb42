# Two commands: `make up` runs the shop, `make test` proves it. Both prepare everything they need by themselves.

PORT ?= 8000
SIZE ?= 100k
ORDERS ?= 100000
SEED ?= 1
MINUTES ?= 30
PARCELS ?= 20000
# Tests wait for servers a third of their time: three workers fill two cores. Who is done takes half of another's rest.
PYTEST_ARGS ?= -n 3 --dist worksteal
PY := .venv/bin/python
TEMPLATES = $(wildcard templates */templates)
# A key of the right length for `check --deploy`; nothing runs with it.
CHECK_ENV = OMS_ENV=production OMS_SECRET_KEY=only-for-check-deploy-0123456789-abcdefghijklmnopqrstuvwxyz OMS_ALLOWED_HOSTS=shop.example REDIS_URL=redis://127.0.0.1:1/0

.PHONY: up test check check-types check-others bench soak seed clean clean-data help
.DEFAULT_GOAL := help

help:
	@echo "make up     run the demo shop (PORT=$(PORT))"
	@echo "make test   run every test on real servers (PYTEST_ARGS='$(PYTEST_ARGS)')"
	@echo "make check  linters, types, layers, migrations, deployment settings"
	@echo "make bench  measure speed (SIZE=$(SIZE) or 1m)        make soak  long run with faults (MINUTES=$(MINUTES))"
	@echo "make seed   fill the running shop (ORDERS=$(ORDERS) SEED=$(SEED))"
	@echo "make clean  remove the environment and caches         make clean-data  remove the data of the embedded servers"

.venv/run.stamp: requirements.txt scripts/setup.sh
	@scripts/setup.sh python requirements.txt
	@touch $@

.venv/dev.stamp: requirements.txt requirements-dev.txt scripts/setup.sh
	@scripts/setup.sh python requirements-dev.txt
	@touch $@ .venv/run.stamp

up: .venv/run.stamp
	@exec $(PY) manage.py up --demo --port $(PORT)

test: .venv/dev.stamp
	@scripts/setup.sh browser
	@$(PY) -m pytest $(PYTEST_ARGS)

# Types alone take about as long as all the rest.
check: .venv/dev.stamp
	@$(MAKE) --no-print-directory -j 2 check-types check-others

check-types:
	$(PY) -m mypy

check-others:
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(if $(TEMPLATES),$(PY) -m djlint $(TEMPLATES) --lint --quiet)
	$(PY) -c "from importlinter.cli import lint_imports_command as run; run()"
	$(PY) -m oms.with_postgres manage.py makemigrations --check --dry-run
	$(CHECK_ENV) $(PY) -m oms.with_postgres manage.py check --deploy --fail-level WARNING

bench: .venv/dev.stamp
	@$(PY) -m bench --size $(SIZE)

soak: .venv/dev.stamp
	@$(PY) -m bench.soak --minutes $(MINUTES)
	@$(PY) -m bench.transit --parcels $(PARCELS)
	@$(PY) -m bench.million
	@OMS_HISTORIES=1000 $(PY) -m pytest -n 0 -q tests/payments/test_permutations.py
	@OMS_FUZZ_REQUESTS=100000 $(PY) -m pytest -n 0 -q -s tests/payments/wire/test_receiver_fuzz.py

seed: .venv/run.stamp
	@$(PY) manage.py oms_seed --append --orders $(ORDERS) --seed $(SEED)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

clean-data: .venv/run.stamp
	@$(PY) manage.py up --remove-data
