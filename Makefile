# make help lists what there is.
.DEFAULT_GOAL := help
FUZZTIME ?= 30s

.PHONY: help build lint check test test-short sdk sdk-matrix fuzz footprint bench bench-docs bench-quick bench-fanout soak

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/chatd, static and stripped
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/chatd ./cmd/chatd

lint: ## format, vet, golangci-lint, and that the modules are tidy
	test/lint.sh

check: lint ## lint and the tests with the race detector: run it before you send a change
	go test -short ./...
	go test -race -short ./...

test: ## everything, as in CI; on Debian root gets installed what is missing
	test/all.sh

test-short: ## the tests that need nothing but Go
	go test -short ./...

sdk: ## the official SDKs against a fresh server
	go test -count=1 -timeout 20m ./test/sdk/...

sdk-matrix: ## many releases of the official SDKs; writes docs/compatibility.md
	CHATD_MATRIX=full go test -count=1 -timeout 60m -v ./test/sdk/matrix

soak: ## ten minutes of random clients while nodes and Postgres are broken; CHATD_SOAK=1h for longer, CHATD_SEED to do it again
	CHATD_SOAK=$${CHATD_SOAK:-10m} go test -count=1 -v -timeout 0 -run '^TestHistory$$' ./test/cluster

fuzz: ## each fuzz test for FUZZTIME
	@set -e; for package in $$(go list ./...); do \
		names=$$(go test -list '^Fuzz' $$package); \
		for name in $$(echo "$$names" | grep '^Fuzz'); do \
			echo "$$package $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

footprint: ## print size, time to start and memory, idle and for each connection
	go run ./bench -only footprint

bench: ## measure all paths against the limits of the machine; prints a table, writes bench/out
	go run ./bench

bench-docs: ## the same, and puts the figures into docs/performance.md; wants a quiet machine
	go run ./bench -docs docs/performance.md

bench-quick: ## the goals alone, in less than two minutes
	go run ./bench -quick

bench-fanout: ## print how fast one message reaches many listeners
	go run ./bench -only fan-out
