#!/bin/sh
# Makes .venv-embeddings, where sentence encoders run: `deploy/embeddings.sh runtime` or `deploy/embeddings.sh dev`.
# Everything of the lock file, then torch, then requirements/embeddings.txt, all by pip: only pip reads the settings (an
# index, a folder of wheels) that lead to a CPU build. Without TORCH that is the build named +cpu, on Linux, where the
# one without a name brings several GB of CUDA along. Does nothing while nothing changed.
set -eu
cd "$(dirname "$0")/.."
lock="requirements/$1.txt"
venv=.venv-embeddings
stamp="$venv/.installed-$1"
default="torch==2.13.0"
torch="${TORCH:-$default}"

say() { printf 'paperfeed: %s\n' "$1" >&2; }

fingerprint="$(cat "$lock" requirements/embeddings.txt pyproject.toml | cksum) $torch $(pwd)"
if [ -x $venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ]; then
    exit 0
fi
if ! $venv/bin/python -c 'import pip' 2>/dev/null; then
    rm -rf $venv
    .venv/bin/python -m venv $venv
fi
pip() { $venv/bin/python -m pip --disable-pip-version-check "$@"; }

say "installing $lock with pip into $venv"
if ! pip install --quiet --require-hashes -r "$lock"; then
    say "the packages in $lock could not be installed: see the lines above; is the network there?"
    exit 1
fi
install_torch() {
    if [ -n "${TORCH:-}" ] || [ "$(uname -s)" != Linux ]; then
        pip install --quiet "$torch"
    else
        pip install --quiet --only-binary torch "$torch+cpu"
    fi
}

say "installing torch (some hundred MB) and requirements/embeddings.txt"
if ! install_torch; then
    say "no CPU build of torch could be installed. Let PIP_EXTRA_INDEX_URL name PyTorch's index of CPU builds, or name a build"
    say "yourself: make embeddings TORCH=/path/to/torch.whl, or TORCH=$default where one with CUDA is welcome"
    exit 1
fi
if ! pip install --quiet "$torch" -r requirements/embeddings.txt; then
    say "the sentence encoder could not be installed: see the lines above; is the network there?"
    exit 1
fi
pip install --quiet --no-deps --no-build-isolation --editable . 2>/dev/null || pip install --quiet --no-deps --editable .
printf '%s' "$fingerprint" >"$stamp"
