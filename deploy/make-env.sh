#!/bin/sh
# Prints the values that belong to one installation, new ones each time: deploy/make-env.sh > .env
# Keep them: tokens, ids of users and the database depend on them.
set -eu
hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
echo "CHATD_ACCESS_KEY=$(head -c 48 /dev/urandom | base64 | tr -d '\n')"
echo "CHATD_RESOURCE_ID=$(hex 4)-$(hex 2)-4$(hex 2 | cut -c2-)-8$(hex 2 | cut -c2-)-$(hex 6)"
echo "POSTGRES_PASSWORD=$(hex 24)"
