# `make` alone prints what there is. Everything is made from the hash-pinned lock files with pip alone.
PYTHON ?= python3
VENV ?= .venv
MINUTES ?= 20
CUTS ?= 1000
VISITS ?= 2000
SECONDS ?= 60
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked
FUZZ_STAMP := $(VENV)/.fuzz
PEERS_VENV ?= .venv-peers
PEERS_STAMP := $(PEERS_VENV)/.locked

# Where `make install` puts things. DESTDIR stages them elsewhere, without touching the system.
PROGRAM_DIR ?= /opt/edged
CONFIG_DIR ?= /etc/edged
DATA_DIR ?= /var/lib/edged
UNIT_DIR ?= /etc/systemd/system
SYSUSERS_DIR ?= /etc/sysusers.d
TMPFILES_DIR ?= /etc/tmpfiles.d
COMMAND ?= /usr/local/bin/edged
DESTDIR ?=
PURGE ?= 0

# The lock files name every package: nothing is resolved at installation, so no newer release can slip in.
LOCKED := -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r

UV ?= uv
COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --no-header --quiet

.DEFAULT_GOAL := help
.PHONY: help system venv run demo test unit chaos soak visits powercuts fuzz check lint type fmt fmt-check bench bench-peers idle schema \
	lock wheel install install-program install-service uninstall clean

help: ## Print the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

system: ## Install mosquitto, ffmpeg, prometheus, postgresql, systemd-analyze and chattr, which the tests run, if missing
	@sh tools/system-packages mosquitto ffmpeg promtool=prometheus systemd-analyze=systemd pg_ctlcluster=postgresql chattr=e2fsprogs

venv: $(STAMP) ## Create .venv from the lock file

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "edged needs Python 3.11 or newer; $(PYTHON) is older: make PYTHON=python3.11 ..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(LOCKED) requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: venv ## A whole door on this machine: a replay for a camera, a fake lock, a broker of its own
	$(BIN)/edged demo

demo: run ## The same

test: system unit ## All tests
	$(BIN)/pytest -n 2 --dist loadfile tests/integration
	$(BIN)/pytest -n 2 --dist loadfile tests/e2e

unit: venv ## The fast tests, on all cores
	@# Where Python may not write what it compiles, each of a thousand programs would compile it anew.
	$(BIN)/python -m compileall -q edged tests
	$(BIN)/pytest -n auto tests/unit

chaos: system venv ## Kill, freeze and starve a door and all it needs, count events and open time; MINUTES=20
	$(BIN)/python -m tests.chaos --minutes $(MINUTES)

soak: system venv ## Live through small faults for long: do memory, descriptors or threads grow? MINUTES=20
	$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES)

visits: venv ## Let VISITS=2000 come as fast as they can be judged: what does the daemon keep of them?
	$(BIN)/python -m tests.chaos.visits --visits $(VISITS)

powercuts: venv ## Cut the power to the journal CUTS=1000 times, on a disk that tears sectors; fill it at each write
	$(BIN)/python -m tests.chaos.storage --cuts $(CUTS)

fuzz: venv $(FUZZ_STAMP) ## Feed every parser hostile input for MINUTES=20; TARGET=pack for one of them
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(addprefix --target ,$(TARGET))

# Where there is no wheel for this machine, tests.fuzz says so and does without.
$(FUZZ_STAMP): requirements-fuzz.lock $(STAMP)
	-$(BIN)/python $(LOCKED) requirements-fuzz.lock --only-binary=:all:
	@touch $@

check: fmt-check lint type test ## What has to pass before a change is taken

lint: venv ## Look for mistakes
	$(BIN)/ruff check

type: venv ## Check the types
	$(BIN)/mypy
	$(BIN)/mypy --config-file models/training/mypy.ini

fmt: venv ## Format the code
	$(BIN)/ruff format

fmt-check: venv ## Is the code formatted?
	$(BIN)/ruff format --check

bench: venv ## Measure every stage on this machine
	$(BIN)/edged bench

bench-peers: venv $(PEERS_STAMP) ## edged beside InsightFace, OpenCV, uniface and face_recognition, in turns on the same frames
	$(BIN)/python -m tests.peers --python $(PEERS_VENV)/bin/python

# Apart from edged's own, which none of it belongs to. Whoever has no wheel here is a line that says so.
$(PEERS_STAMP): requirements-peers.lock requirements-peers-dlib.lock
	@test -x $(PEERS_VENV)/bin/python || $(PYTHON) -m venv $(PEERS_VENV)
	-$(PEERS_VENV)/bin/python $(LOCKED) requirements-peers.lock
	-$(PEERS_VENV)/bin/python $(LOCKED) requirements-peers-dlib.lock
	@touch $@

idle: venv ## What a door costs while nobody comes, and how soon it opens for who does; SECONDS=60
	$(BIN)/edged bench --idle $(SECONDS) --latency 6

schema: venv ## Write the JSON Schema of the configuration anew
	$(BIN)/edged config schema > edged/config/config.schema.json

lock: ## Resolve the lock files anew (needs uv)
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --extra dev --extra demo -o requirements-dev.lock
	echo 'hatchling>=1.27' | $(COMPILE) - -o requirements-build.lock
	$(PYTHON) -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		print(*project["optional-dependencies"]["fuzz"], sep="\n")' | $(COMPILE) - -o requirements-fuzz.lock
	$(COMPILE) tests/peers/requirements.in -c requirements.lock --no-emit-package opencv-python -o requirements-peers.lock
	$(COMPILE) tests/peers/requirements-dlib.in -c requirements-peers.lock --no-emit-package dlib -o requirements-peers-dlib.lock

wheel: ## Build build/wheel/edged-*.whl
	@test -x build/venv/bin/python || $(PYTHON) -m venv build/venv
	build/venv/bin/python $(LOCKED) requirements-build.lock
	rm -rf build/wheel && mkdir -p build/wheel
	build/venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .

install: install-program install-service ## Install the program and its service (as root; DESTDIR, PROGRAM_DIR ...)

install-program: wheel ## Only the program
	@test -x $(DESTDIR)$(PROGRAM_DIR)/bin/python || $(PYTHON) -m venv $(DESTDIR)$(PROGRAM_DIR)
	$(DESTDIR)$(PROGRAM_DIR)/bin/python $(LOCKED) requirements.lock
	$(DESTDIR)$(PROGRAM_DIR)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall build/wheel/edged-*.whl

install-service: ## Only the service: unit, user, configuration, command
	@DESTDIR='$(DESTDIR)' PROGRAM_DIR='$(PROGRAM_DIR)' CONFIG_DIR='$(CONFIG_DIR)' DATA_DIR='$(DATA_DIR)' \
		UNIT_DIR='$(UNIT_DIR)' SYSUSERS_DIR='$(SYSUSERS_DIR)' TMPFILES_DIR='$(TMPFILES_DIR)' COMMAND='$(COMMAND)' sh tools/service install

uninstall: ## Remove program and service; PURGE=1 removes people, events, key and configuration as well
	@DESTDIR='$(DESTDIR)' PROGRAM_DIR='$(PROGRAM_DIR)' CONFIG_DIR='$(CONFIG_DIR)' DATA_DIR='$(DATA_DIR)' \
		UNIT_DIR='$(UNIT_DIR)' SYSUSERS_DIR='$(SYSUSERS_DIR)' TMPFILES_DIR='$(TMPFILES_DIR)' COMMAND='$(COMMAND)' PURGE='$(PURGE)' \
		sh tools/service uninstall

clean: ## Remove what was built and cached; .venv stays
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find edged tests -name __pycache__ -type d -prune -exec rm -rf {} +
