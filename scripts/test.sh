#!/bin/sh
# Everything, with its own set-up: browser, fonts, PostgreSQL and Node for the tests come from Debian, Telegram's other side from npm.
set -eu
cd "$(dirname "$0")/.."
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
if ! command -v chromium >/dev/null || ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  echo "Installing Chromium and PostgreSQL…"
  as_root apt-get update -qq
  as_root apt-get install -y -qq chromium fonts-noto-core postgresql >/dev/null
fi
if ! command -v npm >/dev/null; then
  echo "Installing Node…"
  as_root apt-get update -qq
  as_root apt-get install -y -qq nodejs npm >/dev/null
fi
[ -d tests/telegram/node_modules ] || npm ci --prefix tests/telegram --no-audit --no-fund --silent
scripts/check.sh
echo "== model"; .venv/bin/python -m bot train
echo "== tests"; .venv/bin/python -m pytest "$@"
