PYTHON ?= python3
VENV ?= .venv

# These settings of the caller would change where an environment looks for modules or where pip puts
# them. Every other setting of pip (index, proxy, certificates) still comes from the caller.
unexport PYTHONHOME PYTHONPATH PYTHONOPTIMIZE PYTHONWARNINGS PIP_PREFIX PIP_TARGET PIP_USER

pip_install = $(@D)/bin/python -m pip install --disable-pip-version-check -q
# With extras, since pip takes `coverage` and `coverage[toml]` for two requirements, and wants both pinned.
uv_compile = uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-strip-extras --upgrade \
	--custom-compile-command 'make lock' pyproject.toml
# Where there is no MariaDB its tests are skipped, and what is written for it alone is not reached. Without proof/laws
# the rare ways through the adapters are not reached, and without users some more.
mariadb := $(or $(CI),$(TEST_MARIADB_URL),$(shell PATH="$$PATH:/usr/sbin:/usr/libexec"; \
	command -v mariadbd >/dev/null && command -v my_print_defaults))
coverage = $(if $(wildcard proof/laws),$(if $(mariadb),,--cov-fail-under=90),--cov-fail-under=75)
demo_app = DATABASE_URL=sqlite:///demo.db $(VENV)/bin/app

.PHONY: help demo serve test test-fast test-slow check audit test-python test-lowest test-sqlalchemy-2.0
.PHONY: lock clean

# Two targets may fill the same environment, and pip does not expect a second pip.
.NOTPARALLEL:

help: ## print this list
	@echo 'make TARGET [PYTHON=$(PYTHON)] [VENV=$(VENV)]'
	@awk -F ':.*## ' '/^[a-z].*:.*## / { printf "  %-21s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The sample holds bad rows on purpose: the import refuses them, stores the others and exits with 1.
demo: $(VENV)/runtime.stamp ## import the sample users into demo.db and look at them
	@rm -f demo.db demo.db-shm demo.db-wal demo.rejects.csv
	$(demo_app) import-users samples/people.csv --rejects demo.rejects.csv || test $$? -eq 1
	$(demo_app) list-users
	$(demo_app) get-user ann
	cat demo.rejects.csv

serve: $(VENV)/dev.stamp ## serve the use cases over HTTP, on plumbline.db unless DATABASE_URL says otherwise
	@$(VENV)/bin/app serve

test: $(VENV)/dev.stamp ## run each test on the fake and a database, each case on one; they must reach every line (CASES=all: on each)
	$(VENV)/bin/pytest --cov -n 2 --durations=10 --durations-min=1 $(coverage)

test-fast: $(VENV)/dev.stamp ## run the unit tests, and the contract on the fake and SQLite, one case of each
	CASES=one $(VENV)/bin/pytest -n 2 -k 'not postgres and not mariadb' tests/unit tests/contract

test-slow: $(VENV)/dev.stamp ## run what takes longer: waits, races, locks, README and tutorial in a clean copy
	CASES=all $(VENV)/bin/pytest -m slow -n 2 || test $$? -eq 5 # a project may have no such test

check: $(VENV)/dev.stamp ## check style, format, types and the arrows between the layers
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# It asks for the very versions that are pinned, whatever is installed. Where the service cannot be reached, or does not
# know a package, the audit has not taken place, and that is a failure.
audit: .venv-audit/audit.stamp ## ask an advisory service for known weaknesses of the pinned packages
	@for pins in runtime dev audit; do \
		echo "requirements/$$pins.txt:"; \
		.venv-audit/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes \
			-r requirements/$$pins.txt || { \
			echo "the audit of requirements/$$pins.txt failed: it found what is listed above, or could not be made" >&2; \
			exit 1; }; \
	done

# These three ask whether the suite passes. How much it reaches is asked once, by `test`: a line that
# only one version of Python or of a library needs would miss in the others.
test-python: $(VENV)/dev.stamp ## run the suite on another Python: make test-python PYTHON=python3.13 VENV=.venv-3.13
	$(VENV)/bin/pytest -n 2

test-lowest: .venv-lowest/lowest.stamp ## run the suite on the oldest libraries that are allowed, but without servers
	.venv-lowest/bin/pytest -n 2 -k 'not postgres and not mariadb'

test-sqlalchemy-2.0: .venv-sqlalchemy-2.0/sqlalchemy-2.0.stamp ## run the suite on SQLAlchemy 2.0, but without servers
	.venv-sqlalchemy-2.0/bin/pytest -n 2 -k 'not postgres and not mariadb'

-include proof/targets.mk

lock: ## renew every pin in requirements/ (needs uv)
	$(uv_compile) --group build -o requirements/runtime.txt
	$(uv_compile) --group dev --extra http --extra mysql -c requirements/runtime.txt -o requirements/dev.txt
	$(uv_compile) --group bench -c requirements/dev.txt -o requirements/bench.txt
	$(uv_compile) --group audit -c requirements/dev.txt -o requirements/audit.txt
	$(uv_compile) --group mutants --extra http --extra mysql -c requirements/dev.txt -o requirements/mutants.txt
	$(uv_compile) --group dev --extra http --extra mysql --resolution lowest-direct -o requirements/lowest.txt
	echo 'sqlalchemy<2.1' | $(uv_compile) - --group dev --extra http --extra mysql -o requirements/sqlalchemy-2.0.txt

clean: ## remove the environments and all else that was made here
	rm -rf $(VENV) .venv-3.* .venv-audit .venv-bench .venv-lowest .venv-mutants .venv-sqlalchemy-2.0 mutants
	rm -rf build dist plumbline.egg-info .coverage .coverage.* .hypothesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -f demo.db demo.db-shm demo.db-wal demo.rejects.csv
	find adapters domain entrypoints $(wildcard proof) service_layer tests -name __pycache__ -prune -exec rm -rf {} +

# A stamp says that its step was finished, so a half-made environment is completed and an unchanged
# one is left alone. PYTHON counts when an environment is made: for another, name another VENV.
$(VENV)/python.stamp .venv-audit/python.stamp .venv-bench/python.stamp .venv-lowest/python.stamp \
		.venv-mutants/python.stamp .venv-sqlalchemy-2.0/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Plumbline needs Python 3.11 or newer; name one: make test PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) lacks the venv module; on Debian: apt install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(@D)
	@touch $@

# The pins come first, each checked by its hash, and as wheels only: a source distribution would run
# its own code while it is installed, and may need a compiler. The project needs no download then.
define install
	$(pip_install) --require-hashes --only-binary=:all: -r $<
	$(pip_install) --no-deps --no-build-isolation -e .
	@touch $@
endef

$(VENV)/runtime.stamp: requirements/runtime.txt pyproject.toml $(VENV)/python.stamp
	$(install)

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml $(VENV)/python.stamp
	$(install)

.venv-audit/audit.stamp: requirements/audit.txt pyproject.toml .venv-audit/python.stamp
	$(install)

.venv-bench/bench.stamp: requirements/bench.txt pyproject.toml .venv-bench/python.stamp
	$(install)

.venv-lowest/lowest.stamp: requirements/lowest.txt pyproject.toml .venv-lowest/python.stamp
	$(install)

.venv-mutants/mutants.stamp: requirements/mutants.txt pyproject.toml .venv-mutants/python.stamp
	$(install)

.venv-sqlalchemy-2.0/sqlalchemy-2.0.stamp: requirements/sqlalchemy-2.0.txt pyproject.toml \
		.venv-sqlalchemy-2.0/python.stamp
	$(install)
