# The targets set up what they need by themselves.
.PHONY: help venv neutron rulebook demo demo-neutron test molecule fuzz any-state lab lab-down test-lab lint sanity bench bench-full bare-machine clean

help:
	@echo "make demo    run the main job on sandboxed nodes and send packets through them"
	@echo "make demo-neutron  have a sandboxed node follow a real Neutron server"
	@echo "make lab     boot two network nodes and a host outside as real machines (make lab-down ends them)"
	@echo "make test    pass every check and test"
	@echo "make molecule  run the Molecule scenarios on sandboxed nodes"
	@echo "make fuzz    feed the engine's parsers with random input, for a minute each (FUZZ_SECONDS=60)"
	@echo "make bench   measure building and re-converging routers (bench-full: the large cases too, for RESULTS.md)"
	@echo "make any-state  take nodes through thousands of new random states (WALKS=500)"
	@echo "make bare-machine  run the demo and the tests on fresh minimal Debians (RELEASES='bookworm trixie')"
	@echo "make test-lab   reboot such machines, cut their power, and see that their routers come back"
	@echo "make lint, make sanity  only these checks"
	@echo "make venv, make neutron, make rulebook  only set up"
	@echo "make clean   remove what was set up"

venv:
	@tools/prepare

neutron: venv
	@tools/prepare-neutron

demo: venv
	@.venv/bin/python -m demo

demo-neutron: venv neutron
	@.venv/bin/python -m demo.neutron

rulebook: venv
	@tools/prepare-rulebook

# The checks and the set-up take a processor each. What fails beside others, on a machine that is too busy to keep its times, is
# tried once more alone; both are printed.
test: venv
	$(MAKE) --jobs=2 --output-sync=recurse lint sanity neutron rulebook
	.venv/bin/python -m pytest -n auto || .venv/bin/python -m pytest --last-failed --last-failed-no-failures none

# Removing the directory ends the nodes of a run before it that was killed.
molecule: venv
	rm -rf .cache/molecule
	PATH="$(CURDIR)/.venv/bin:$$PATH" MOLECULE_EPHEMERAL_DIRECTORY="$(CURDIR)/.cache/molecule" \
		.venv/bin/molecule test --all --no-command-borders

FUZZ_SECONDS = 60
fuzz: venv
	set -e; for name in iptables-save nft-list netlink-messages netlink-bodies ovs-vsctl haproxy known-rules saved-routers conntrack marks router-data; do \
		PYTHONPATH=.cache:. .venv/bin/python -m tests.fuzz.parsers $$name -max_total_time=$(FUZZ_SECONDS); done

lint: venv
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy -p ansible_collections.netnode.l3.plugins.module_utils -p ansible_collections.netnode.l3.plugins.plugin_utils -p sandbox -p lab -p demo -p benchmarks
	.venv/bin/mypy extensions/eda/plugins/event_source/neutron.py
	.venv/bin/ansible-lint --offline --profile production
	.venv/bin/antsibull-changelog lint
	shellcheck tools/* .ci/run

sanity: venv
	tools/ansible-test-sanity

# Random walks of six states each, with each interface driver.
WALKS ?= 500

any-state: venv
	ANY_STATE_WALKS=$(WALKS) .venv/bin/python -m pytest -n 2 tests/kernel/test_any_state.py

lab: venv
	@tools/prepare-lab
	@.venv/bin/python -m lab up

lab-down:
	@.venv/bin/python -m lab down

test-lab: venv
	@tools/prepare-lab
	.venv/bin/python -m pytest --override-ini testpaths=tests/lab tests/lab

bench: venv
	PYTHONPATH=.cache .venv/bin/python -m benchmarks

bench-full: venv neutron
	PYTHONPATH=.cache .venv/bin/python -m benchmarks --full --write

# A fresh Debian in a root file system, in which this commit is cloned: the demo and the tests.
RELEASES = bookworm trixie
bare-machine:
	set -e; for release in $(RELEASES); do tools/bare-machine $$release; done

clean:
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
