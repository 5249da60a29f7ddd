# make help lists the targets. Each installs what it needs; a second run does not repeat that.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
unexport VIRTUAL_ENV

PYTHON := .venv/bin/python
PEERS := rsakeyfind:rsakeyfind aeskeyfind:aeskeyfind gitleaks:gitleaks yara:yara
KERNELS := src/immure/scanning/kernels src/immure/redact/prove/kernels src/immure/custody/keyholder \
  src/immure/detections/sources/m365
BUILT_FROM := pyproject.toml uv.lock setup.py $(foreach room,$(KERNELS),$(wildcard $(room)/build_*.py $(room)/c/*))
SECONDS ?= 60

.PHONY: help setup demo scan-demo test lint bench drill mutate fuzz sanitize docs ci clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## act the incident of 2023 out: as it was, and with every control on
	@scripts/packages offer "the mail server, the token and the debugger of the demonstration" dovecot:dovecot-imapd -:dovecot-submissiond \
	  softhsm2-util:softhsm2 p11-kit:p11-kit -:p11-kit-modules gdb:gdb git:git
	@mkdir -p build
	@.venv/bin/immure replay storm-0558 -o build/replay.html

scan-demo: setup ## crash a real token signer, scan the core with its public JWKS, and see what the usual tools say
	@scripts/packages offer "crashes and searches that the demonstration compares with" gdb:gdb $(PEERS)
	@$(PYTHON) examples/demo.py

test: setup ## run the tests (not the drill); ARGS='-k words' passes on to pytest
	@scripts/packages offer "the tests with real crashes need it" gdb:gdb openssl:openssl ssh-keygen:openssh-client nginx:nginx softhsm2-util:softhsm2 sshd:openssh-server zsh:zsh fish:fish \
	  curl:curl p11-kit:p11-kit -:p11-kit-modules dovecot:dovecot-imapd -:dovecot-submissiond caddy:caddy psql:postgresql \
	  sudo:sudo swtpm:swtpm swtpm_setup:swtpm-tools -:tpm2-openssl -:libbcprov-java javac:default-jdk-headless certutil:libnss3-tools chromium:chromium
	$(PYTHON) scripts/run_tests.py -m "not drill" $(ARGS)

lint: setup ## ruff, ruff format, mypy --strict, import-linter
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo --no-cache # a stale cache has hidden a circle

bench: .venv/.drill ## make the images, run every benchmark with its peers, write JSON to benchmarks/results/
	@scripts/packages offer "peers of the benchmarks" gdb:gdb gcc:gcc $(PEERS)
	$(PYTHON) benchmarks/images.py
	@set -e; for main in $$(grep -l '__main__' benchmarks/*.py | grep -v '/images\.py$$'); do \
	  echo "== $$main"; $(PYTHON) $$main; done

drill: .venv/.drill ## crash real signers of many stacks, and hold every finding against a slow, exhaustive search
	@if [ -x tests/drill/install ]; then tests/drill/install; fi
	$(PYTHON) -m pytest -m drill tests $(ARGS)

mutate: .venv/.drill ## change the validator in some two thousand ways, one by one, and see that a test notices
	@scripts/mutate

fuzz: setup ## run every fuzz harness for SECONDS (60) each
	@bad=0; for harness in fuzz/fuzz_*.py; do \
	  echo "== $$harness"; $(PYTHON) $$harness --seconds $(SECONDS) || bad=1; done; exit $$bad

sanitize: setup ## run the kernels' tests and fuzz harness with memory and arithmetic checked (SECONDS each)
	@scripts/sanitize $(SECONDS)

docs: setup .make/docs/.synced ## build the documentation site into build/site
	$(PYTHON) scripts/reference.py docs/reference/generated
	.make/docs/bin/python -m sphinx -q -W --keep-going -b html docs build/site
	@echo "build/site/index.html"

ci: lint test ## what has to pass before a change lands

clean: ## remove what the targets have made, .venv and benchmark images included
	rm -rf .venv .make build dist docs/reference/generated benchmarks/images .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf src/*.egg-info $(foreach room,$(KERNELS),$(room)/*.so $(room)/_*.c)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: .venv/.synced

.venv/.synced: $(BUILT_FROM) scripts/setup
	@scripts/setup
	@touch $@

.venv/.drill: .venv/.synced
	@scripts/setup --group drill
	@touch $@

.make/docs/.synced: pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=.make/docs scripts/uv sync --locked --only-group docs
	@touch $@
