#!/usr/bin/env bash
# All that is checked without running the program: format, vet, lint, and that the modules are tidy.
set -euo pipefail
cd "$(dirname "$0")/.."
# Built by the Go that is here, and not a requirement in go.mod: it would bring two hundred modules.
golangci_lint=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

unformatted=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
  printf 'not formatted by gofmt:\n%s\n' "$unformatted" >&2
  exit 1
fi
for module in . test/deploy; do
  go -C "$module" mod tidy -diff
  go -C "$module" vet ./...
done
go run "$golangci_lint" run
