# make test does everything on a fresh machine with Go: it installs the programs
# that the tests drive (Debian's packages, where they are missing), then runs them.

PROGRAMS = chromium firefox-esr tshark curl wget git openssl gnutls-cli certutil node python3 ruby mitmdump php erl lynx javac ip zsh fish sqlite3 dask-worker
PACKAGES = chromium firefox-esr tshark curl wget git openssl gnutls-bin libnss3-tools nodejs python3 python3-requests ruby mitmproxy php-cli erlang-base erlang-inets erlang-ssl lynx openjdk-17-jdk-headless iproute2 zsh fish sqlite3 python3-distributed

.PHONY: test tools node-libraries fuzz bench

# What has no goroutines and shares nothing (TestPure) is tested without the race
# detector, which makes it five times as slow.
PURE = explainer/annotate explainer/annotate/proof explainer/annotate/rows explainer/annotate/steps \
	explainer/capture explainer/capture/fingerprint explainer/capture/handshake explainer/capture/pcap explainer/capture/quic

test: tools
	@echo 'go test $(PURE)'; go test -timeout 20m $(PURE); pure=$$?; \
	echo 'go test -race, the others'; go test -race -timeout 20m $(filter-out $(PURE),$(shell go list ./...)) && exit $$pure

tools:
	@sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	missing=; for p in $(PROGRAMS); do command -v $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing what is missing:$$missing"; \
		export DEBIAN_FRONTEND=noninteractive; \
		$$sudo apt-get -q update && $$sudo apt-get -qy install --no-install-recommends $(PACKAGES); \
	fi; \
	command -v npm >/dev/null 2>&1 || $$sudo apt-get -qy install --no-install-recommends npm
	@$(MAKE) -s node-libraries

# The libraries of Node.js that the tests of run use, each in the version that is pinned.
NODE = cmd/explainer/testdata/node
node-libraries: $(NODE)/node_modules/.package-lock.json
$(NODE)/node_modules/.package-lock.json: $(NODE)/package-lock.json
	cd $(NODE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

# Each fuzz target for two minutes; FUZZTIME=10m for longer.
fuzz:
	bench/fuzz $(or $(FUZZTIME),2m)

bench:
	bench/run
	bench/read
