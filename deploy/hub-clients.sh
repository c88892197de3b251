#!/bin/sh
# Makes .venv-hub-newest, .venv-hub-1 and .venv-hub-0: released `huggingface_hub` clients, each by its hashed lock file
# in an environment of its own, so that the compatibility tests drive them as their users have them.
# Does nothing while nothing changed.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'paperfeed: %s\n' "$1" >&2; }

pip() { .venv/bin/python -m pip --disable-pip-version-check --python "$venv/bin/python" "$@"; }

export UV_SYSTEM_CERTS=true # as pip does: behind a company's proxy only the machine knows the certificate
# uv is many times faster but reads none of pip's settings: where pip was told of another index, pip installs.
may_use_uv() { [ -x .venv/bin/uv ] && ! .venv/bin/python -m pip config list 2>/dev/null | grep -Eq "[.](index-url|no-index)="; }

install_with_uv() { .venv/bin/uv pip install --quiet --python "$venv/bin/python" --require-hashes -r "$lock"; }

for client in newest 1 0; do
    lock="requirements/hub-$client.txt"
    venv=".venv-hub-$client"
    stamp="$venv/.installed"
    fingerprint="$(cksum <"$lock") $(pwd)"
    if [ -x "$venv/bin/hf" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ]; then
        continue
    fi
    say "installing $lock into $venv"
    rm -rf "$venv"
    .venv/bin/python -m venv --without-pip "$venv"
    if ! { may_use_uv && install_with_uv; } && ! pip install --quiet --require-hashes -r "$lock"; then
        say "the packages in $lock could not be installed: see the lines above; is the network there?"
        exit 1
    fi
    printf '%s' "$fingerprint" >"$stamp"
done
