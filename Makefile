# One command for each thing a person wants. `make` alone explains; what each target needs, it installs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv

# Debian packages: the C libraries, the broker, and what the tests and the demonstration run with.
PACKAGES := libmodbus-dev libp11-kit-dev libmosquitto-dev libqrencode-dev libssl-dev libsqlite3-dev libyaml-dev mosquitto mosquitto-clients \
	pkg-config python3 python3-venv ca-certificates curl git openssl faketime \
	iproute2 opensc softhsm2 socat swtpm tpm2-tools \
	binutils bsdutils chromium chrpath debhelper dpkg-dev lintian procps systemd util-linux zbar-tools

.PHONY: help deps venv build release deb test check torture run bench format lint clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

deps: ## install the Debian packages that are missing (asks for sudo unless root)
	@command -v swift > /dev/null || { \
	    echo "Swift 6.3 is missing: install it from https://www.swift.org/install/linux/ and run again." >&2; exit 1; }
	@missing=(); for package in $(PACKAGES); do \
	    dpkg-query -W -f '$${db:Status-Status}' "$$package" 2> /dev/null | grep -qx installed || missing+=("$$package"); \
	done; \
	if [ $${#missing[@]} -eq 0 ]; then echo "deps: every Debian package is there"; exit 0; fi; \
	become=(); if [ "$$(id -u)" -ne 0 ]; then become=(sudo); fi; \
	echo "deps: installing $${missing[*]}"; \
	"$${become[@]}" apt-get -qq update; \
	DEBIAN_FRONTEND=noninteractive "$${become[@]}" apt-get -qq install -y --no-install-recommends "$${missing[@]}"

venv: $(VENV)/ready

$(VENV)/ready: Tests/Interop/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r Tests/Interop/requirements.txt
	touch $@

build: deps ## everything, debug
	swift build

release: deps ## the programs, release; the agent with the Swift runtime linked in
	@echo "release: building (the first build takes some minutes)"
	swift build -c release --product kilomint-collector
	swift build -c release --product kilomint-audit
	swift build -c release --product kilomint-plant
	swift build -c release --static-swift-stdlib --product kilomint-agent

deb: deps ## Debian packages for this machine's architecture, in .build/deb
	@echo "deb: building (the first build takes some minutes)"
	KILOMINT_ONLY=agent swift build -c release --static-swift-stdlib --product kilomint-agent --scratch-path .build/agent-release
	swift build -c release --static-swift-stdlib --product kilomint-collector
	swift build -c release --static-swift-stdlib --product kilomint-audit
	packaging/build --programs .build/release --agent .build/agent-release/release/kilomint-agent

test: deps venv ## every test there is: style, Swift, other people's libraries, whole processes
	Tests/run

check: test ## the same as test

torture: deps venv ## everything around an agent fails in turn: ROUNDS=200 SEED=n
	swift build
	$(VENV)/bin/python3 Tests/System/torture.py --rounds $(or $(ROUNDS),20) $(if $(SEED),--seed $(SEED))

run: release ## the demonstration: eight days in three minutes; ONCE=1 ends by itself
	python3 demo/run.py $(if $(ONCE),--once) $(if $(PORT),--port $(PORT)) $(if $(BROKER_PORT),--broker-port $(BROKER_PORT)) \
	    $(if $(PLANT_PORT),--plant-port $(PLANT_PORT)) $(if $(ENROLMENT_PORT),--enrolment-port $(ENROLMENT_PORT))

bench: PACKAGES += collectd-core libmodbus5
bench: deps venv ## measured figures, each beside its limit
	swift build -c release
	Tests/Benchmarks/run

format: ## rewrite the sources in the house's format
	swift format --in-place --parallel --recursive Package.swift Agent Collector Shared Tests

lint: ## refuse what `make format` would change, and what swift-format warns of
	swift format lint --strict --parallel --recursive Package.swift Agent Collector Shared Tests

clean: ## remove what was built; the demonstration's data too
	rm -rf .build $(VENV) run
