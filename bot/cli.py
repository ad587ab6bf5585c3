"""The command line. A command parses its arguments and calls a function that works and returns data."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Optional

import typer
from rich.console import Console
from rich.table import Table

from bot.cli_staff import staff

if TYPE_CHECKING:
    from bot.assistant import Assistant
    from bot.service import Service
    from bot.settings import Settings
    from knowledge.check import Report
    from knowledge.files import Content

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Wegwijs: rights information for labour migrants in the Netherlands.",
)
kb = typer.Typer(no_args_is_help=True, help="The knowledge base: check it, build it, look at it.")
app.add_typer(kb, name="kb")
urgency = typer.Typer(no_args_is_help=True, help="The phrases that tell an emergency: try, check and measure them.")
app.add_typer(urgency, name="urgency")
app.add_typer(staff, name="staff")
screen = Console()
errors = Console(stderr=True)

EXIT_WRONG_SETTINGS = 2
EXIT_NO_MODEL = 3
EXIT_NO_DATABASE = 4
EXIT_FAULTS = 1


@app.command()
def serve(
    host: Annotated[Optional[str], typer.Option(help="Address to listen on (setting HOST).")] = None,
    port: Annotated[Optional[int], typer.Option(help="Port to listen on (setting PORT).")] = None,
) -> None:
    """Start the service: web page, chat API, assistant. Builds the content first where it changed."""
    from bot import logs
    from bot.service import SecretKeyError, open_service
    from bot.web.app import create_app
    from bot.web.server import run

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = _settings(**given)
    logs.configure(settings.log_level)
    try:
        # The database is prepared behind the listening service, which goes on without it meanwhile.
        service = open_service(settings, _content())
    except SecretKeyError as error:
        _fail(str(error), EXIT_WRONG_SETTINGS)
    run(create_app(service), host=settings.host, port=settings.port)


@app.command()
def chat(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show language, topic and confidence of each message.")
    ] = False,
    language: Annotated[Optional[str], typer.Option(help="Begin in this language (ISO 639-1).")] = None,
) -> None:
    """Talk to the assistant in the terminal. A number presses a button; an empty line or Ctrl-D ends."""
    from bot.terminal import converse

    settings = _settings()
    _quiet()
    service = _open(settings)
    asyncio.run(converse(_assistant(service), screen, debug=debug, language=language))


@app.command()
def classify() -> None:
    """Classify JSON lines {"text": …} from standard input; one JSON line out for each, in order."""
    from bot.classify import BATCH, classify_lines

    _quiet()
    assistant = _assistant_of(_settings().models_folder)
    classify_lines(assistant, sys.stdin, sys.stdout, batch=1 if sys.stdin.isatty() else BATCH)


@app.command()
def train(
    force: Annotated[
        bool, typer.Option("--force", help="Train also where a model matches content and examples.")
    ] = False,
) -> None:
    """Train the model, unless one matches content, examples, configuration and code."""
    from bot.training import train_model

    settings = _settings()
    _quiet()
    with screen.status("Looking what a model would be made from…") as status:
        say = status.update if screen.is_terminal else screen.print
        path, is_new = train_model(settings.models_folder, force=force, say=say)
    screen.print(f"{'Trained' if is_new else 'Nothing to train, up to date'}: {path}")


@app.command(name="eval")
def evaluate(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Labelled messages as JSON lines.")],
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("results/eval"),
) -> None:
    """Measure the shipped assistant on labelled messages and write a report with pictures."""
    from nlu.evaluation import read_messages
    from nlu.evaluation_report import write_report

    _quiet()
    messages = read_messages(files)
    assistant = _assistant_of(_settings().models_folder)

    from bot.classify import classify_texts

    with screen.status(f"Reading {len(messages)} messages…"):
        results = classify_texts(assistant, [message.text for message in messages])
    summary = write_report(messages, results, out)
    screen.print(summary)
    screen.print(f"Report: {out / 'report.html'}")


@app.command()
def channels() -> None:
    """Show each channel: on or off and why, last message in and out, replies that wait and that are dead."""
    from bot.channels.registry import states
    from bot.overview import traffic
    from knowledge.database import reading

    service = _open(_settings())
    table = Table("channel", "on", "why", "last in", "last out", "waiting", "dead")
    with reading(service.sessions) as session:
        for state in states(service.settings):
            found = traffic(session, state.name)
            moments = (f"{at:%Y-%m-%d %H:%M}" if at else "–" for at in (found.last_in, found.last_out))
            table.add_row(
                state.name, "yes" if state.is_on else "no", state.why, *moments, str(found.waiting), str(found.dead)
            )
    screen.print(table)


@app.command()
def outbox() -> None:
    """Show the replies that wait for a messenger, and those that will never reach it, with the reason."""
    from bot.overview import stuck
    from knowledge.database import reading

    service = _open(_settings())
    table = Table("id", "channel", "conversation", "since", "tries", "next try", "dead because")
    with reading(service.sessions) as session:
        for one in stuck(session):
            when = f"{one.next_try_at:%H:%M:%S}" if one.next_try_at else "now"
            table.add_row(
                str(one.id),
                one.channel,
                one.conversation[:8],
                f"{one.created_at:%Y-%m-%d %H:%M}",
                str(one.attempts),
                "–" if one.failure else when,
                one.failure or "",
            )
    screen.print(table)


@app.command()
def qr(
    bot: Annotated[str, typer.Argument(help="Name of the Telegram bot, without @.")],
    to: Annotated[str, typer.Argument(help="A topic (housing.deposit) or a language (pl) that the chat begins with.")],
    out: Annotated[Path, typer.Option(help="File to write: .svg or .png.")] = Path("wegwijs-qr.svg"),
) -> None:
    """Make a QR code for a poster that opens the Telegram chat at a topic or in a language."""
    import segno

    content = _content()
    if to not in content.topics and to not in content.languages:
        _fail(f"{to!r} is no topic and no language", EXIT_FAULTS)
    if out.suffix not in (".svg", ".png"):
        _fail(f"{out}: the file ends in .svg or .png", EXIT_FAULTS)
    # Telegram takes letters, digits, _ and - only.
    address = f"https://t.me/{bot}?start={to.replace('.', '-')}"
    segno.make(address, error="m").save(str(out), scale=12, border=4)
    screen.print(f"{out}: {address}", highlight=False)


@kb.command()
def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    folder: Annotated[Optional[Path], typer.Option(help="Another content folder.")] = None,
) -> None:
    """Check the content: coverage, references, placeholders, sources, lengths, reading level. Exit code 1 on errors."""
    from knowledge.check import check as check_content
    from knowledge.files import CONTENT_FOLDER

    report = check_content(folder or CONTENT_FOLDER, today=datetime.now(UTC).date())
    if as_json:
        print(json.dumps(report.as_dict(), ensure_ascii=False, indent=2))
    else:
        _print_report(report)
    raise typer.Exit(EXIT_FAULTS if report.errors else 0)


@app.command(name="insight")
def show_insight(
    days: Annotated[int, typer.Option(min=1, help="How many days back, today included.")] = 30,
    lang: Annotated[Optional[str], typer.Option(help="Only messages in this language.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Show by topic and language how often people asked and what came of it, the most often missed first. No texts."""
    from bot import insight
    from knowledge.database import reading

    service = _open(_settings())
    first = (datetime.now(UTC) - timedelta(days=days - 1)).date()
    with reading(service.sessions) as session:
        lines = insight.since(session, first, language=lang)
    if as_json:
        print(json.dumps([{"topic": x.topic, "language": x.language, **x.counts} for x in lines], ensure_ascii=False))
        return
    names = [came.value.replace("_", " ") for came in insight.Came]
    table = Table("topic", "language", *names, title=f"Since {first}: what came of people's messages")
    for line in lines:
        table.add_row(line.topic or "–", line.language or "–", *(str(line.counts.get(c, 0)) for c in insight.Came))
    screen.print(table)


@kb.command()
def drift(
    accept: Annotated[
        Optional[list[str]], typer.Option("--accept", help="Note that a topic's words were read with today's facts.")
    ] = None,
) -> None:
    """List the answers whose facts have changed since their words were read. Exit code 1 where there are any."""
    from knowledge.drift import accept as accept_topics
    from knowledge.drift import drifted

    content = _content()
    if accept:
        try:
            screen.print(f"{accept_topics(content, accept)} texts noted as read with today's facts")
        except LookupError as error:
            _fail(str(error), EXIT_FAULTS)
        return
    found = list(drifted(content))
    for one in found:
        why = "its facts have changed since it was read" if one.was_read else "was never noted as read"
        screen.print(f"{one.topic} ({one.language}): {why}", highlight=False)
    screen.print(f"{len(found)} texts to read")
    raise typer.Exit(EXIT_FAULTS if found else 0)


@kb.command()
def build() -> None:
    """Compile the content into the database; a running service picks it up by itself."""
    service = _open(_settings())
    screen.print(f"Content version {service.content.current().version}")


@kb.command()
def show(
    topic: Annotated[str, typer.Argument(help="A topic or urgent kind, such as work.minimum_wage.")],
    lang: Annotated[str, typer.Option(help="Language of the answer (ISO 639-1).")] = "en",
    on: Annotated[Optional[str], typer.Option("--date", help="The day whose amounts are shown, as YYYY-MM-DD.")] = None,
) -> None:
    """Print an answer as people get it, on any day."""
    from bot.terminal import print_answer
    from knowledge.answers import UnknownTopicError, answer
    from knowledge.files import load

    content, _ = load()
    try:
        day = date.fromisoformat(on) if on else None
        shown = answer(content, topic, lang, now=datetime.now(UTC), on=day)
    except ValueError:
        _fail(f"--date {on!r} is not a day: write it as 2025-03-01", EXIT_FAULTS)
    except UnknownTopicError as error:
        _fail(f"{error}; topics: {', '.join(content.topics)}; languages: {', '.join(content.languages)}", EXIT_FAULTS)
    print_answer(shown, content.phrases[lang].phrases, screen)


@urgency.command(name="try")
def try_phrases(text: Annotated[str, typer.Argument(help="A message, in quotes.")]) -> None:
    """Show which phrases a message has, and what they come to."""
    from knowledge.files import load
    from nlu.urgency import Level, rules_of

    rules = rules_of(load()[0].urgency)
    table = Table("language", "kind", "level", "phrase")
    for fired in rules.fired(text):
        table.add_row(fired.language, fired.kind, fired.level, fired.phrase)
    if table.row_count:
        screen.print(table)
    found = rules.find(text)
    if found is None:
        screen.print("No phrase fires. The trained model may still notice the message: wegwijs classify shows both.")
        return
    is_lowered = any(rules.is_lowered(f.kind, text) for f in rules.fired(text) if f.level is Level.CERTAIN)
    lowered = ", lowered by a not_now or told phrase" if is_lowered else ""
    screen.print(f"{found.level}: {', '.join((found.label, *found.also))}{lowered}", highlight=False)


@urgency.command(name="check")
def check_phrases(
    lang: Annotated[Optional[str], typer.Option(help="Only what is wrong in this language's file.")] = None,
) -> None:
    """Hold every phrase against the examples and the everyday messages of all languages. Exit code 1 where one fails."""
    from bot.urgency_rules import check as check_rules
    from knowledge.files import load

    content, faults = load()
    misses = [miss for miss in check_rules(content) if lang in (None, miss.language)]
    for fault in faults:
        if fault.file.startswith("urgency/"):
            screen.print(str(fault), style="red", highlight=False, soft_wrap=True)
    for miss in misses:
        screen.print(f"urgency/{miss.language}.yml: {miss.text} {miss.problem}", highlight=False, soft_wrap=True)
    screen.print(f"{len(misses)} wrong")
    raise typer.Exit(EXIT_FAULTS if misses else 0)


@urgency.command(name="measure")
def measure_phrases(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Labelled messages as JSON lines.")],
) -> None:
    """Measure the phrases alone, without the trained model, on labelled messages."""
    from bot.urgency_rules import measure
    from knowledge.files import load
    from nlu.evaluation import read_messages

    table = Table("language", "urgent", "certain", "certain or possible", "others", "others taken for certain")
    for language, caught in measure(load()[0], read_messages(files)).items():
        shares = (_share(n, caught.urgent) for n in (caught.certain, caught.noticed))
        table.add_row(language, str(caught.urgent), *shares, str(caught.others), _share(caught.alarms, caught.others))
    screen.print(table)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f} ({part})" if whole else "–"


def _settings(**given: Any) -> Settings:
    from bot.settings import SettingsError, read_settings

    try:
        return read_settings(**given)
    except SettingsError as error:
        _fail(str(error), EXIT_WRONG_SETTINGS)


def _content() -> Content:
    """The content of the files; what is wrong in them is named and left out."""
    from knowledge.files import load

    content, faults = load()
    for fault in faults:
        errors.print(str(fault), style="red")
    return content


def _open(settings: Settings) -> Service:
    """Connect, bring the tables up to date and build the content where it changed."""
    from sqlalchemy.exc import SQLAlchemyError

    from bot.service import SecretKeyError, open_service

    content = _content()
    try:
        service = open_service(settings, content)
        service.prepare(content, now=datetime.now(UTC))
    except SecretKeyError as error:
        _fail(str(error), EXIT_WRONG_SETTINGS)
    except SQLAlchemyError as error:
        _fail(
            f"the database of DATABASE_URL can't be used ({type(error).__name__}): is it there, and not locked?",
            EXIT_NO_DATABASE,
        )
    return service


def _assistant(service: Service) -> Assistant:
    from actions.content import use_store

    use_store(service.content)
    return _assistant_of(service.settings.models_folder)


def _assistant_of(models_folder: Path) -> Assistant:
    from bot.service import NoTrainedModelError, newest_model

    try:
        model = newest_model(models_folder)
    except NoTrainedModelError as error:
        _fail(str(error), EXIT_NO_MODEL)
    from bot.assistant import Assistant, NoModelError

    try:
        with errors.status("Loading the model…"):
            return Assistant.load(model)
    except NoModelError as error:
        _fail(str(error), EXIT_NO_MODEL)


def _quiet() -> None:
    """Keep TensorFlow's and Rasa's own talk off the screen of a command."""
    from bot import logs

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logs.configure("error")


def _print_report(report: Report) -> None:
    for fault in report.faults:
        screen.print(
            str(fault), style="red" if fault.severity == "error" else "yellow", highlight=False, soft_wrap=True
        )
    table = Table("topic", *report.languages, title="Coverage")
    for topic, row in report.coverage.items():
        table.add_row(topic, *(f"{row[language]}" for language in report.languages))
    screen.print(table)
    kinds = Counter(fault.key for fault in report.warnings)
    for kind, count in kinds.most_common():
        screen.print(f"{count} × {kind}", highlight=False)
    screen.print(f"{len(report.errors)} errors, {len(report.warnings)} warnings")


def _fail(message: str, code: int) -> NoReturn:
    errors.print(message, style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(code)
