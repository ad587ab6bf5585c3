#!/bin/sh
# Brings uv where it is missing and installs the locked environment into .venv. `uv-only` stops after uv.
set -eu
cd "$(dirname "$0")/.."
UV_VERSION=0.13.9
UV=.tools/uv/bin/uv

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if [ ! -x "$UV" ]; then
  echo "Installing uv $UV_VERSION…"
  # Debian's Python comes without venv; everything else is in the standard library.
  if ! python3 -m venv .tools/uv >/dev/null 2>&1; then
    rm -rf .tools/uv
    as_root apt-get update -qq
    as_root apt-get install -y -qq python3-venv
    python3 -m venv .tools/uv
  fi
  .tools/uv/bin/python -m pip install -q "uv==$UV_VERSION"
fi
[ "${1:-}" = uv-only ] && exit 0

[ -x .venv/bin/python ] || "$UV" venv -q --python 3.11 .venv
echo "Installing the locked environment (about 220 packages; a few minutes the first time)…"
# The one package without a wheel that has C code; a machine without a compiler takes it without.
export MULTIDICT_NO_EXTENSIONS=1
# Compiled at once: otherwise every start reads Rasa and TensorFlow as source, which takes three times as long.
"$UV" pip sync --require-hashes --compile-bytecode requirements.lock
# The project itself, so that its command is there: .venv/bin/wegwijs.
"$UV" pip install -q --no-deps --no-build-isolation --no-index -e .
