# The commands that prove the skeleton itself; the Makefile of the project includes them as long as they are there.

HISTORIES ?= 10000
TRANSACTIONS ?= 350000
KILLS ?= 10000
STOPS ?= 1000
CUTS ?= 10000
SEED ?= $(shell date +%s)
prove torture: SEED := $(SEED)

.PHONY: budgets prove torture bench test-proof test-planted planted mutants

budgets: $(VENV)/dev.stamp ## print the lines and names of each layer beside what is allowed
	$(VENV)/bin/python proof/budgets.py

prove: $(VENV)/dev.stamp ## hold 10,000 random histories on the fake against those on each database
	@echo 'to make the same ones again: make prove HISTORIES=$(HISTORIES) SEED=$(SEED)'
	HISTORIES=$(HISTORIES) SEED=$(SEED) $(VENV)/bin/pytest -n 2 -o faulthandler_timeout=0 \
		tests/contract/test_same_behaviour.py proof/laws/contract/test_same_behaviour.py
	CASES=all CHANGES=200 $(VENV)/bin/pytest -n 2 -o faulthandler_timeout=0 proof/laws/contract/test_locked_reads.py

torture: $(VENV)/dev.stamp ## make a million transactions meet, kill clients and servers, cut COMMITs; nothing may be lost
	$(VENV)/bin/python -m proof.torture concurrency --transactions $(TRANSACTIONS) --seed $(SEED)
	$(VENV)/bin/python -m proof.torture concurrency --parts --transactions $(TRANSACTIONS) --seconds 600 --seed $(SEED)
	$(VENV)/bin/python -m proof.torture crashes --kills $(KILLS) --stops $(STOPS) --seed $(SEED)
	$(VENV)/bin/python -m proof.torture commits --cuts $(CUTS) --seed $(SEED)
	$(VENV)/bin/python -m proof.torture requests --seed $(SEED)

bench: $(VENV)/dev.stamp .venv-bench/bench.stamp ## measure the import, the fake, the start, and the skeleton and its server beside others
	$(VENV)/bin/python -m proof.benchmarks.import_users
	$(VENV)/bin/python -m proof.benchmarks.fake
	$(VENV)/bin/python -m proof.benchmarks.start_up
	$(VENV)/bin/python -m proof.benchmarks.parts
	.venv-bench/bin/python -m proof.benchmarks.side_by_side
	$(VENV)/bin/python -m proof.benchmarks.http

test-proof: $(VENV)/dev.stamp ## run the proof's own tests: a short torture, and the benchmarks in small
	CASES=all $(VENV)/bin/pytest -m '' -n 2 proof --ignore proof/docs --ignore proof/laws --ignore proof/test_planted_bugs.py

test-planted: $(VENV)/dev.stamp ## plant bugs, one at a time, and see whether the test that is recorded notices
	CASES=all $(VENV)/bin/pytest -m '' -n 2 proof/test_planted_bugs.py

planted: $(VENV)/dev.stamp ## plant the same bugs, and see whether the tests of `make test` notice
	CASES=all WHOLE=1 $(VENV)/bin/pytest -m '' -n 2 proof/test_planted_bugs.py

mutants: .venv-mutants/mutants.stamp ## change the code in small ways, and see whether a test notices
	rm -rf mutants
	.venv-mutants/bin/python proof/mutants.py
