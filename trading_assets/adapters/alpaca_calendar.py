"""Alpaca's calendar, read from the stored answer. Asking for it belongs in alpaca.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import BeforeValidator, ValidationError

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_gateway import Fetch, Page, json_document
from trading_assets.adapters.vendor_rows import WireDate, WireModel, explain
from trading_assets.domain.market.broker_calendar import BrokerSession
from trading_assets.domain.market.sessions import NEW_YORK

DAY = timedelta(days=1)


def _wall_clock(value: object) -> time:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no time such as 09:30")  # noqa: TRY004  pydantic reports ValueError
    return datetime.strptime(value, "%H:%M").time()  # noqa: DTZ007  a time of day only


WallClockTime = Annotated[time, BeforeValidator(_wall_clock)]


class _CalendarDay(WireModel):
    date: WireDate
    open: WallClockTime
    close: WallClockTime


def calendar_in(fetch: Fetch) -> list[BrokerSession]:
    """Every day of the question's range, in order; a day that the answer does not list has no trading.

    Days outside of the range are left out: asked about a holiday, Alpaca may answer with the next session. Raises
    ContractBroken for one unreadable day, because the day it stands for would look like a holiday.
    """
    page = fetch.pages[-1]
    listed: dict[date, BrokerSession] = {}
    for day in _days_of(page):
        opens_at, closes_at = (datetime.combine(day.date, at, NEW_YORK).astimezone(UTC) for at in (day.open, day.close))
        found = BrokerSession(day.date, opens_at, closes_at, page.response_id)
        if day.open >= day.close:
            raise ContractBroken(f"{_where(page)}: {day.date} closes before it opens. Nothing was stored from it.")
        if listed.setdefault(day.date, found) != found:
            raise ContractBroken(f"{_where(page)}: {day.date} is there twice with different hours.")
    first, last = date.fromisoformat(fetch.question["first"]), date.fromisoformat(fetch.question["last"])
    days = (first + number * DAY for number in range((last - first).days + 1))
    return [listed.get(day, BrokerSession(day, None, None, page.response_id)) for day in days]


def _days_of(page: Page) -> list[_CalendarDay]:
    rows = json_document(page.body)
    if not isinstance(rows, list):
        raise ContractBroken(f"{_where(page)}: the calendar is no list of days. Nothing was stored from it.")
    try:
        return [_CalendarDay.model_validate(row) for row in rows]
    except ValidationError as error:
        raise ContractBroken(f"{_where(page)}: {explain(error)}, in a day. Nothing was stored from it.") from error


def _where(page: Page) -> str:
    return f"alpaca, {page.url} (response {page.response_id})"
