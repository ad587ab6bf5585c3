#!/bin/sh
# Style, types, content.
set -eu
cd "$(dirname "$0")/.."
echo "== style"; .venv/bin/ruff check . ; .venv/bin/ruff format --check .
echo "== types"; .venv/bin/mypy
echo "== content"; .venv/bin/python -m bot kb check
