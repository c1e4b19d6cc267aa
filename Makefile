.DEFAULT_GOAL := help
GOLANGCI    := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK := go run golang.org/x/vuln/cmd/govulncheck@v1.9.0
FUZZTIME    := 30s
NODE        := $(shell git ls-files "*package-lock.json")

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## run the tests; what needs a database, Node or a browser skips and says so
	go test ./...

race: ## run the tests under the race detector
	go test -race ./...

lint: ## vet, staticcheck and the other linters of .golangci.yml
	go vet ./...
	$(GOLANGCI) run

vuln: ## look for known vulnerabilities in what the module calls (needs the internet)
	$(GOVULNCHECK) ./...

fmt: ## format the code
	$(GOLANGCI) fmt

generate: ## write the documentation of the API anew: OpenAPI, EVENTS.md, TypeScript types
	go generate ./chat

bench: ## compare deliveries, round trips and memory with a plain WebSocket loop (Linux, 2 cores)
	go run ./chat/internal/bench

microbench: ## run the benchmarks beside the code
	go test -run '^$$' -bench . -benchmem ./...

fuzz: ## fuzz each target for FUZZTIME
	.ci/fuzz $(FUZZTIME)

interop: ## install the stock JavaScript client and run all tests that need it, Node or Chromium
	for lock in $(NODE); do npm ci --no-audit --no-fund --prefix $$(dirname $$lock) || exit 1; done
	go test -count=1 -run 'Interop|Node|Chromium' ./chat/... ./example/...

services-up: ## start PostgreSQL, MariaDB and Redis in Docker for `make verify`
	docker run -d --rm --name echochat-postgres -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres:15
	docker run -d --rm --name echochat-mariadb -p 3306:3306 -e MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1 -e MARIADB_DATABASE=test mariadb:10.11
	docker run -d --rm --name echochat-redis -p 6379:6379 redis:7

examples: ## build the examples
	go build -o /dev/null ./example/...

proof: ## run the long proofs: kills, cuts, leaks
	ECHOCHAT_PROOF=1 go test -count=1 -timeout 60m -v -run Proof ./...

verify: ## everything that CI runs
	.ci/run
.PHONY: help test race lint vuln fmt generate bench microbench fuzz interop services-up examples proof verify
