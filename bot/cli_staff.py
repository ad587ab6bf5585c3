"""The commands for accounts of the staff, `wegwijs staff add`, `list`, `remove`, `reset`, and for the log, `audit`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Table

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bot.service import Service
    from bot.staff import Invited

staff = typer.Typer(no_args_is_help=True, help="Accounts of the people who take cases, and the log of what they do.")
Result = TypeVar("Result")
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input and set it at once.")
]


@staff.command()
def add(
    name: Annotated[str, typer.Argument(help="As colleagues see it.")],
    email: Annotated[str, typer.Argument(help="To sign in with.")],
    role: Annotated[str, typer.Option(help="helper, lead, editor or admin.")] = "helper",
    language: Annotated[str, typer.Option("--lang", help="Language of the console: nl or en.")] = "nl",
    password_stdin: PasswordStdin = False,
) -> None:
    """Make an account; prints a one-time address for choosing a password and setting up the codes."""
    from bot import cli
    from bot import staff as accounts

    if role not in list(accounts.Role) or language not in accounts.LANGUAGES:
        cli._fail(f"--role is one of {', '.join(accounts.Role)}; --lang one of {', '.join(accounts.LANGUAGES)}", 2)
    service, now = cli._open(cli._settings()), datetime.now(UTC)
    invited = _change(
        service,
        lambda session: accounts.add(
            session, name, email, accounts.Role(role), language, book=service.addresses, now=now
        ),
    )
    _hand_over(service, invited, password_stdin=password_stdin)


@staff.command()
def reset(email: str, password_stdin: PasswordStdin = False) -> None:
    """Take password, codes and sessions from an account; prints a new one-time address."""
    from bot import cli
    from bot import staff as accounts

    service, now = cli._open(cli._settings()), datetime.now(UTC)
    invited = _change(service, lambda session: accounts.reset(session, email, book=service.addresses, now=now))
    _hand_over(service, invited, password_stdin=password_stdin)


@staff.command()
def remove(email: str) -> None:
    """Close an account and end its sessions at once."""
    from bot import cases, cli, duty
    from bot import staff as accounts
    from knowledge.database import reading

    service = cli._open(cli._settings())
    _change(service, lambda session: accounts.remove(session, email, now=datetime.now(UTC)))
    cli.screen.print("Closed; whatever was open in a browser is signed out.")
    with reading(service.sessions) as session:
        if not duty.has_staff(session):
            waiting = cases.count_open(session)
            cli.screen.print(f"Nobody takes cases any more, and nobody is offered a person. Still open: {waiting}.")


@staff.command(name="list")
def show() -> None:
    """Show everybody with role and state."""
    from bot import cli
    from bot import staff as accounts
    from knowledge.database import reading

    service = cli._open(cli._settings())
    table = Table("name", "e-mail", "role", "state")
    with reading(service.sessions) as session:
        for one in accounts.members(session):
            state = "removed" if not one.is_active else "active" if one.has_begun else "invited"
            table.add_row(one.name, one.email, one.role.value, state)
    cli.screen.print(table)


@staff.command()
def audit(
    check: Annotated[
        bool, typer.Option("--check", help="Go along the whole chain; exit code 1 where it is broken.")
    ] = False,
    last: Annotated[int, typer.Option(min=0, help="How many of the latest entries to show.")] = 20,
) -> None:
    """Show the audit log, or with --check whether it is whole, with count and digest to compare with next time."""
    from bot import audit as audit_log
    from bot import cli
    from knowledge.database import reading

    service = cli._open(cli._settings())
    with reading(service.sessions) as session:
        if check:
            verdict = audit_log.verify(session)
            if not verdict.is_whole:
                cli._fail(f"the log is NOT whole: something was removed or changed after entry {verdict.last_good}", 1)
            print(f"whole: {verdict.entries} entries, {verdict.digest or 'empty'}")
            return
        table = Table("id", "when (UTC)", "who", "what", "case")
        for one in audit_log.latest(session, last):
            case = str(one.case_id or "")
            table.add_row(str(one.id), f"{one.at:%Y-%m-%d %H:%M:%S}", one.actor[:8], one.action, case)
    cli.screen.print(table)


def _hand_over(service: Service, invited: Invited, *, password_stdin: bool) -> None:
    from bot import staff as accounts

    if not password_stdin:
        base = service.settings.public_url or f"http://{service.settings.host}:{service.settings.port}"
        print(f"{base}/console/welcome/{invited.token}")
        return
    password = sys.stdin.readline().rstrip("\n")
    codes = _change(
        service,
        lambda session: accounts.begin(
            session, invited.staff_id, accounts.hash_password(password), step=0, now=datetime.now(UTC)
        ),
    )
    print(invited.otpauth)
    print(f"recovery codes: {' '.join(codes)}")


def _change(service: Service, job: Callable[[Session], Result]) -> Result:
    from bot import cli
    from bot.staff import SHORTEST_PASSWORD, StaffError

    said = {
        "email_taken": "there is an account with this e-mail address: 'wegwijs staff reset' sets it back",
        "no_email_or_name": "a name and an e-mail address are needed",
        "no_such_account": "there is no account with this e-mail address: 'wegwijs staff list' shows all",
        "password_too_short": f"a password has at least {SHORTEST_PASSWORD} characters",
    }
    try:
        with service.sessions.begin() as session:
            return job(session)
    except StaffError as error:
        cli._fail(said[error.code], 1)
