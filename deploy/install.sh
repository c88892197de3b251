#!/bin/sh
# Makes .venv from a hashed lock file: `deploy/install.sh runtime` or `deploy/install.sh dev`.
# Does nothing, in no time, while lock file, project and folder are those of the last run.
set -eu
cd "$(dirname "$0")/.."
lock="requirements/$1.txt"
stamp=".venv/.installed-$1"

say() { printf 'paperfeed: %s\n' "$1" >&2; }

fingerprint="$(cat "$lock" requirements/bootstrap.txt pyproject.toml | cksum) $(pwd)"
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ]; then
    exit 0
fi

is_fit() { "$1" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $2))" 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_fit "$PYTHON" 99 && printf '%s' "$PYTHON" # chosen by hand: newer ones may work too
        return
    fi
    for candidate in python3 python3.12 python3.11; do
        if is_fit "$candidate" 12; then
            printf '%s' "$candidate"
            return
        fi
    done
}

if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python="$(find_python)"
    if [ -z "$python" ]; then
        say "Python 3.11 or 3.12 is needed, ${PYTHON:-python3} here is $("${PYTHON:-python3}" -V 2>&1 || echo missing): install one, or name it with make PYTHON=/path/to/python3.12"
        exit 1
    fi
    rm -rf .venv
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
        rm -rf .venv
        say "$python cannot make a virtual environment: install its venv module (Debian, Ubuntu: apt install python3-venv)"
        exit 1
    fi
fi

pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

export UV_SYSTEM_CERTS=true # as pip does: behind a company's proxy only the machine knows the certificate
# uv is many times faster but reads none of pip's settings: where pip was told of another index, pip installs.
installer=uv
if pip config list | grep -Eq "[.](index-url|no-index)="; then
    installer=pip
elif [ ! -x .venv/bin/uv ] && ! pip install --quiet --require-hashes -r requirements/bootstrap.txt; then
    installer=pip
fi

say "installing $lock with $installer"
if [ "$installer" = uv ] && ! .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r "$lock"; then
    say "uv could not install, trying pip instead (this takes a minute or two)"
    installer=pip
fi
if [ "$installer" = pip ]; then
    if ! pip install --quiet --require-hashes -r "$lock"; then
        say "the packages in $lock could not be installed: see the lines above; is the network there?"
        exit 1
    fi
fi
pip install --quiet --no-deps --no-build-isolation --editable . 2>/dev/null || pip install --quiet --no-deps --editable .
printf '%s' "$fingerprint" >"$stamp"
