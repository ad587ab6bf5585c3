"""Values as a reader of one language writes them: amounts, percentages, numbers, dates, distances, lists (Babel, CLDR)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.lists import format_list
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit

from knowledge.schema import ParameterKind

# Whose way of writing is meant where a language has several: the readers are Europeans, and so are the payslips.
_REGIONS = {"en": "en_GB", "pt": "pt_PT"}


@lru_cache
def _locale(language: str) -> Locale:
    return Locale.parse(_REGIONS.get(language, language))


def amount(euros: Decimal, language: str) -> str:
    """An amount in euros with the sign that everybody in the Netherlands reads; cents only where there are any."""
    pattern = _locale(language).currency_formats["standard"].pattern
    if euros == euros.to_integral_value():
        pattern = pattern.replace(".00", "")
    # CLDR writes "EUR" in languages whose readers rarely meet the sign; on a Dutch payslip it is always the sign.
    return format_currency(euros, "EUR", format=pattern, locale=_locale(language), currency_digits=False).replace(
        "EUR", "€"
    )


def percentage(percent: Decimal, language: str) -> str:
    """A percentage given as 8 for 8 %, with its decimals kept ("39.5%")."""
    return format_percent(percent / 100, locale=_locale(language), decimal_quantization=False)


def value(kind: ParameterKind, raw: Decimal | date | str, language: str) -> str:
    """A parameter's value by its kind."""
    if isinstance(raw, date):
        return (
            long_date(raw, language)
            if kind is ParameterKind.DATE
            else format_skeleton("yMMMM", raw, locale=_locale(language))
        )
    if isinstance(raw, str):
        return raw
    if kind is ParameterKind.MONEY:
        return amount(raw, language)
    if kind is ParameterKind.PERCENT:
        return percentage(raw, language)
    if kind is ParameterKind.YEAR:
        return str(raw)
    return format_decimal(raw, locale=_locale(language), decimal_quantization=False)


@lru_cache
def plural_categories(language: str) -> tuple[str, ...]:
    """CLDR's plural categories that whole numbers fall into in a language, in CLDR's order ("one", "few", "many" in Polish)."""
    form = _locale(language).plural_form
    found = {form(number) for number in range(200)}
    return tuple(name for name in ("zero", "one", "two", "few", "many", "other") if name in found)


def counted(number: Decimal, forms: Sequence[str], language: str) -> str:
    """A number with its noun ("5 lat"), which stands in the form that the number asks for.

    Args:
        forms: the noun in each of `plural_categories(language)`.

    """
    category = _locale(language).plural_form(number)
    categories = plural_categories(language)
    noun = forms[categories.index(category)] if category in categories else forms[-1]
    return f"{format_decimal(number, locale=_locale(language), decimal_quantization=False)}\N{NO-BREAK SPACE}{noun}"


def long_date(day: date, language: str) -> str:
    """A date with the month written out ("20 November 2026")."""
    return format_date(day, "long", locale=_locale(language))


def weekday_and_time(moment: datetime, language: str) -> str:
    """A day of the week and a time ("Monday 09:00"), as said of an opening within a week."""
    return format_datetime(moment, "EEEE HH:mm", tzinfo=moment.tzinfo, locale=_locale(language))


def distance(kilometres: float, language: str) -> str:
    """A distance in whole kilometres, in tenths below ten."""
    digits = "#,##0.0" if kilometres < 10 else "#,##0"
    return format_unit(kilometres, "kilometer", "short", format=digits, locale=_locale(language))


def listing(items: Sequence[str], language: str) -> str:
    """A list in words ("a, b and c")."""
    return format_list(list(items), locale=_locale(language))


def language_name(code: str, language: str) -> str:
    """The name of language `code` in `language`, as Babel knows it; the code itself where it does not."""
    return _locale(language).languages.get(code, code)
