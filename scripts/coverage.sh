#!/bin/sh
# Statement coverage of cases and console, by their own tests; fails below the bar.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
parts="alarm alert_ways attachments audit canned cases desk duty figures handover openid presence sign_in staff translation"
include="bot/console/*"
for part in $parts; do include="$include,bot/$part.py"; done
"$python" -m pytest -q --cov=bot --cov-report= tests/bot/console tests/bot/channels/test_attachments.py \
  tests/bot/test_alarm.py tests/bot/test_audit.py tests/bot/test_cases.py tests/bot/test_duty.py tests/bot/test_handover.py "$@"
"$python" -m coverage report --include="$include" --skip-covered --show-missing --fail-under=95
