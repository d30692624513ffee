#!/bin/sh
# Create a virtual environment from a lock file. Arguments: python, venv folder, lock file.
# Debian splits `ensurepip` off into its own package; with it absent we borrow the outer pip.
set -eu
python=$1 venv=$2 lock=$3

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "cardcore needs Python 3.11 or newer; $python is $("$python" --version 2>&1)." >&2
    echo "Name another one: make PYTHON=python3.12 setup" >&2
    exit 1
}
if [ ! -x "$venv/bin/python" ]; then
    echo "setup: creating $venv"
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$venv"
    else
        "$python" -m venv --without-pip "$venv"
    fi
fi
if "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    pip="$venv/bin/python -m pip"
else
    pip="$python -m pip --python $venv/bin/python"
fi
options="--disable-pip-version-check --no-input --progress-bar off"
log=$venv/setup.log

# pip is either silent or a flood: count what it has taken up instead.
total=$(grep -c '^[a-z0-9].*==' "$lock")
echo "setup: installing $total locked dependencies (a minute or two the first time)"
# The lock names everything, so nothing is resolved here: an extra of a locked package (`name[extra]`)
# would be looked up anew and found unpinned as soon as a newer version is published.
$pip install $options --no-deps --only-binary :all: --require-hashes -r "$lock" > "$log" 2>&1 &
installer=$!
shown=0
while kill -0 "$installer" 2>/dev/null; do
    sleep 2
    taken=$(grep -cE '^(Collecting|Requirement already)' "$log" || true)
    if [ "$taken" -ge $((shown + 15)) ]; then
        echo "setup: $taken of $total"
        shown=$taken
    fi
done
wait "$installer" || {
    echo "setup: pip failed; the end of its log ($log):" >&2
    tail -n 20 "$log" >&2
    exit 1
}
# The project itself: dependencies are already there, and the build backend comes from the lock.
$pip install $options --quiet --no-deps --no-build-isolation --editable .
$pip check > "$log" 2>&1 || {
    echo "setup: the lock lacks something:" >&2
    cat "$log" >&2
    exit 1
}
echo "setup: ready, try $venv/bin/cardcore --help"
