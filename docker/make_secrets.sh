#!/bin/sh
# Make the secrets compose.yaml asks for, once, in docker/secrets (0700, ignored by git and image).
# The files are 0444 because the container's user must read what is mounted into it; on the host
# the folder keeps everybody else out.
set -eu
cd "$(dirname "$0")"
mkdir -p -m 0700 secrets
if [ -e secrets/postgres_password ]; then
    echo "docker/secrets has its files already"
    exit 0
fi
umask 0333
password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$password" > secrets/postgres_password
printf 'postgresql://cardcore:%s@postgres/cardcore\n' "$password" > secrets/database_url
echo "made docker/secrets/postgres_password and docker/secrets/database_url"
