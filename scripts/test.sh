#!/bin/sh
# Everything, with its own set-up: Chromium for the end-to-end tests comes from Debian.
set -eu
cd "$(dirname "$0")/.."
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
if ! command -v chromium >/dev/null; then
  echo "Installing Chromium…"
  as_root apt-get update -qq
  as_root apt-get install -y -qq chromium fonts-noto-core
fi
scripts/check.sh
echo "== model"; .venv/bin/python -m bot train
echo "== tests"; .venv/bin/python -m pytest "$@"
