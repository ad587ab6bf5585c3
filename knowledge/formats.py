"""Values as a reader of one language writes them: amounts, percentages, numbers, dates, distances, lists (Babel, CLDR)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit

from knowledge.schema import ParameterKind


def amount(euros: Decimal, language: str) -> str:
    """An amount in euros with the sign that everybody in the Netherlands reads; cents only where there are any."""
    pattern = Locale.parse(language).currency_formats["standard"].pattern
    if euros == euros.to_integral_value():
        pattern = pattern.replace(".00", "")
    # CLDR writes "EUR" in languages whose readers rarely meet the sign; on a Dutch payslip it is always the sign.
    return format_currency(euros, "EUR", format=pattern, locale=language, currency_digits=False).replace("EUR", "€")


def percentage(percent: Decimal, language: str) -> str:
    """A percentage given as 8 for 8 %, with its decimals kept ("39.5%")."""
    return format_percent(percent / 100, locale=language, decimal_quantization=False)


def value(kind: ParameterKind, raw: Decimal | date | str, language: str) -> str:
    """A parameter's value by its kind."""
    if isinstance(raw, date):
        return (
            long_date(raw, language) if kind is ParameterKind.DATE else format_skeleton("yMMMM", raw, locale=language)
        )
    if isinstance(raw, str):
        return raw
    if kind is ParameterKind.MONEY:
        return amount(raw, language)
    if kind is ParameterKind.PERCENT:
        return percentage(raw, language)
    if kind is ParameterKind.YEAR:
        return str(raw)
    return format_decimal(raw, locale=language, decimal_quantization=False)


def long_date(day: date, language: str) -> str:
    """A date with the month written out ("20 November 2026"; the form that British English and Dutch readers share)."""
    return format_date(day, "long", locale="en_GB" if language == "en" else language)


def weekday_and_time(moment: datetime, language: str) -> str:
    """A day of the week and a time ("Monday 09:00"), as said of an opening within a week."""
    return format_datetime(moment, "EEEE HH:mm", tzinfo=moment.tzinfo, locale=language)


def distance(kilometres: float, language: str) -> str:
    """A distance in whole kilometres, in tenths below ten."""
    digits = "#,##0.0" if kilometres < 10 else "#,##0"
    return format_unit(kilometres, "kilometer", "short", format=digits, locale=language)


def listing(items: Sequence[str], language: str) -> str:
    """A list in words ("a, b and c")."""
    return format_list(list(items), locale=language)


def language_name(code: str, language: str) -> str:
    """The name of language `code` in `language`, as Babel knows it; the code itself where it does not."""
    return Locale.parse(language).languages.get(code, code)
