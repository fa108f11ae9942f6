#!/bin/sh
# Make .venv and install the checkout into it, or do nothing where that is done: tools/setup.sh pack|test
# PYTHON names the interpreter to use (default: the first fitting one on the search path).
set -eu
cd "$(dirname "$0")/.."
what=${1:?pack or test}
unset PYTHONHOME PYTHONPATH

# Says which interpreter it is; fails where the version does not fit.
who='import sys
if not (3, 11) <= sys.version_info[:2] < (3, 14): sys.exit(1)
print(sys.version.split()[0], sys.base_prefix)'

find_python() {
    for name in ${PYTHON:+"$PYTHON"} ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if "$name" -c "$who" >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo "no Python 3.11 to 3.13 found${PYTHON:+ as $PYTHON}: install one, or name one with PYTHON=/path" >&2
    exit 1
}

# Debian and its relatives ship Python without what makes virtual environments.
make_venv() {
    python=$1
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "installing $package"
            apt-get -q update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qy install "$package" >/dev/null
        else
            echo "$python cannot make virtual environments: install $package (or the like) first" >&2
            exit 1
        fi
    fi
    rm -rf .venv
    "$python" -m venv .venv
}

# A virtual environment holds its own path, so one that was moved is made anew, as is one of another interpreter.
here=$(pwd -P)
have=$(.venv/bin/python -c "$who" 2>/dev/null || true)
made_for=$(cat .venv/.made-for 2>/dev/null || true)
if [ -z "$have" ] || [ "$made_for" != "$here" ]; then
    python=$(find_python)
    echo "making .venv with $python"
    make_venv "$python"
elif [ -n "${PYTHON:-}" ] && [ "$(find_python >/dev/null && "$PYTHON" -c "$who")" != "$have" ]; then
    find_python >/dev/null
    echo "making .venv anew with $PYTHON"
    make_venv "$PYTHON"
fi
printf '%s' "$here" >.venv/.made-for

inputs=$(cat setup.cfg setup.py pyproject.toml requirements-test.lock tools/compile_lists.py | cksum)
if [ "$what" = test ]; then wanted="$inputs test" target='.[test]'; else wanted="$inputs pack" target=.; fi
installed=$(cat .venv/.installed 2>/dev/null || true)
if { [ "$installed" = "$wanted" ] || [ "$installed" = "$inputs test" ]; } &&
    .venv/bin/python tools/compile_lists.py --check; then
    exit 0
fi
echo "installing cortex-grow into .venv"
rm -f .venv/.installed
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c requirements-test.lock -e "$target"
printf '%s' "$wanted" >.venv/.installed
