#!/usr/bin/env bash
# All that is checked without running the program: format, vet, lint, and that the modules are tidy.
set -euo pipefail
cd "$(dirname "$0")/.."

unformatted=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
  printf 'not formatted by gofmt:\n%s\n' "$unformatted" >&2
  exit 1
fi
for module in . test/deploy; do
  go -C "$module" mod tidy -diff
  go -C "$module" vet ./...
done
go -C test/lint mod tidy -diff
# Built by the Go that is here, so it understands that Go's language and standard library.
go tool -modfile=test/lint/go.mod golangci-lint run
