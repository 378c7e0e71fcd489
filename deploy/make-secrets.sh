#!/bin/sh
# Makes the values that belong to one installation, a file for each: deploy/make-secrets.sh FOLDER
# What is in the folder already stays, and values of the environment are taken over, such as CHATD_RESOURCE_ID from ACS.
# Keep the folder: tokens, ids of users and the database depend on it.
set -eu
folder=${1:?which folder? such as secrets, or /etc/chatd}
mkdir -p "$folder"
chmod 700 "$folder" # it guards the files: in containers users of other numbers read them
cd "$folder"
hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
keep() { # keep NAME VALUE
  [ ! -e "$1" ] || return 0
  printf %s "$2" > "$1.new"
  chmod 444 "$1.new"
  mv "$1.new" "$1"
}
id=$(hex 4)-$(hex 2)-4$(hex 2 | cut -c2-)-8$(hex 2 | cut -c2-)-$(hex 6)
keep access-key "${CHATD_ACCESS_KEY:-$(head -c 48 /dev/urandom | base64 | tr -d '\n')}"
keep access-key-secondary "${CHATD_ACCESS_KEY_SECONDARY:-}" # empty: there is none
keep postgres-password "${POSTGRES_PASSWORD:-$(hex 24)}"
keep store "postgres://chatd:$(cat postgres-password)@postgres:5432/chatd?sslmode=disable"
# Further settings go here, one a line. They are no secrets.
[ -e chatd.env ] || echo "CHATD_RESOURCE_ID=${CHATD_RESOURCE_ID:-$id}" > chatd.env
