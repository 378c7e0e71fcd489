#!/usr/bin/env bash
# Runs everything: format, vet, lint, all tests, the official SDKs, the race detector. First it installs what a bare Debian
# lacks beside Go and git, where it may; elsewhere it lists what is missing, and the tests that need it say that they are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
node_wanted=20 # engines in package.json of the tests
npm_wanted=10  # 9.2, which Debian 12 and 13 have, cannot read a lock with overrides of aliases
cache=${XDG_CACHE_HOME:-$HOME/.cache}/chatd-test

has() { command -v "$1" >/dev/null; }
has_postgres() { has initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
has_roots() { [ -e /etc/ssl/certs/ca-certificates.crt ] || [ ! -e /etc/debian_version ]; }
has_venv() { python3 -c 'import venv, ensurepip' 2>/dev/null; }
has_libc() { [ ! -e /etc/debian_version ] || [ -e /usr/include/stdlib.h ]; }
has_node() {
  has node && has npm && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge "$node_wanted" ] &&
    [ "$(npm --version | cut -d. -f1)" -ge "$npm_wanted" ]
}

packages=() missing=()
need() { # need CHECK PACKAGES... -- WHAT FOR
  local check=$1 names=()
  shift
  while [ "$1" != -- ]; do names+=("$1"); shift; done
  shift
  $check && return
  packages+=("${names[@]}")
  missing+=("${names[*]}: $*")
}
needs() {
  packages=() missing=()
  need has_roots ca-certificates -- the certificates by which packages are fetched
  need 'has cc' gcc -- the race detector
  need has_libc libc6-dev -- the race detector
  need 'has node' nodejs -- the JavaScript SDK and the browser
  need 'has npm' npm -- the JavaScript SDK and the browser
  need 'has python3' python3 -- the Python SDK
  need has_venv python3-venv -- the Python SDK
  need 'has javac' default-jdk-headless -- the Java SDK
  need 'has mvn' maven -- the Java SDK
  need 'has chromium' chromium -- the SDK in a browser
  need 'has certutil' libnss3-tools -- the SDK in a browser
  need has_postgres postgresql -- 'the store in Postgres; npm brings another one'
  need 'has pgbouncer' pgbouncer -- the store behind a pooler
}

for name in go git; do
  has $name || { echo "$0 needs $name on the PATH" >&2; exit 1; }
done
needs
if [ ${#packages[@]} -gt 0 ] && has apt-get && [ "$(id -u)" = 0 ]; then
  echo "installing ${packages[*]}"
  had_postgres=$(has_postgres && echo yes || true)
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null </dev/null
  # Tests start servers of their own; the one that the package makes is not wanted.
  if [ -z "$had_postgres" ] && has pg_lsclusters; then
    pg_lsclusters -h | while read -r version cluster _; do pg_dropcluster --stop "$version" "$cluster"; done
  fi
  needs
fi
# Debian's are older. The registry has both programs as packages, Node.js as one for each platform.
if has npm && ! has_node; then
  node=node-$(node -p 'process.platform + "-" + process.arch')
  programs=$cache/node_modules/$node/bin:$cache/node_modules/.bin
  PATH=$programs:$PATH has_node ||
    npm install --silent --no-audit --no-fund --prefix "$cache" "$node@$node_wanted" npm@11 || true
  PATH=$programs:$PATH
  hash -r
fi
has_node || missing+=("Node.js $node_wanted and npm $npm_wanted, or newer: the JavaScript SDK and the browser")
if [ ${#missing[@]} -gt 0 ]; then
  echo "Not here, so that the tests which need it are skipped:"
  printf '  %s\n' "${missing[@]}"
  ! has apt-get || [ ${#packages[@]} = 0 ] || echo "  sudo apt-get install --no-install-recommends ${packages[*]}"
fi

test/lint.sh
go test -timeout 20m ./...
go test -C test/deploy -count=1 . # a module of its own, so Go does not see when what it reads changes
# It needs a C compiler.
if has cc || [ "${CI:-}" = true ]; then go test -race -short ./...; fi
