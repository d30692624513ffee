#!/bin/sh
# Read settings that are secrets from files: CARDCORE_X_FILE=/run/secrets/x sets CARDCORE_X to the
# file's first line. Then become the command, so that signals reach it.
set -eu
for name in $(env | sed -n 's/^\(CARDCORE_[A-Z0-9_]*\)_FILE=.*/\1/p'); do
    eval "path=\$${name}_FILE"
    [ -r "$path" ] || { echo "cardcore: ${name}_FILE names $path, which cannot be read" >&2; exit 2; }
    value=$(head -n 1 "$path")
    export "$name=$value"
    unset "${name}_FILE"
done
exec cardcore "$@"
