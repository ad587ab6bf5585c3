#!/bin/sh
# Everything, with its own set-up: browser, fonts and PostgreSQL for the tests come from Debian.
set -eu
cd "$(dirname "$0")/.."
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
if ! command -v chromium >/dev/null || ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  echo "Installing Chromium and PostgreSQL…"
  as_root apt-get update -qq
  as_root apt-get install -y -qq chromium fonts-noto-core postgresql >/dev/null
fi
scripts/check.sh
echo "== model"; .venv/bin/python -m bot train
echo "== tests"; .venv/bin/python -m pytest "$@"
