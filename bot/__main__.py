"""`python -m bot` is the command line."""

from bot.cli import app

app(prog_name="wegwijs")
