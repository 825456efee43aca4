# The targets set up what they need by themselves.
.PHONY: help venv demo test lint sanity bench bench-full clean

help:
	@echo "make demo    run the main job on sandboxed nodes and send packets through them"
	@echo "make test    pass every check and test"
	@echo "make bench   measure building and re-converging routers (bench-full: the large cases too, for RESULTS.md)"
	@echo "make venv    only set up"

venv:
	@tools/prepare

demo: venv
	@.venv/bin/python -m demo

test: lint sanity
	.venv/bin/python -m pytest -n auto

lint: venv
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy -p ansible_collections.netnode.l3.plugins.module_utils -p ansible_collections.netnode.l3.plugins.plugin_utils -p sandbox -p demo -p benchmarks
	.venv/bin/ansible-lint --offline --profile production
	.venv/bin/antsibull-changelog lint
	shellcheck tools/* .ci/run

sanity: venv
	tools/ansible-test-sanity

bench: venv
	.venv/bin/python -m benchmarks

bench-full: venv
	.venv/bin/python -m benchmarks --full --write

clean:
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
