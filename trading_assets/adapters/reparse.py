"""Reads stored answers again, through the parsers that read them first, and compares or mends what is stored.

What is stored changes only as it does in a live run: by the same functions, as new versions, with gates and events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from uuid import UUID

from trading_assets.adapters.answer_readers import BARS, DATASETS, RECORDS, reader_of
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres import broker_sessions, corporate_actions, fundamentals, instruments, market
from trading_assets.adapters.postgres.database import Database, Table
from trading_assets.adapters.postgres.stored_versions import (
    has_rows,
    newest_bar_responses,
    newest_responses,
    versions_added,
)
from trading_assets.adapters.postgres.vendor_responses import days_asked_about, quarantine_rows, stored_fetches
from trading_assets.adapters.vendor_gateway import Fetch, QuarantinedRow
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import ActionKind
from trading_assets.domain.market.half_days import end_of_half_day
from trading_assets.domain.market.sessions import sessions_between

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

MOST_COMPLAINTS = 5
BAR_KEY = list(market.BARS.key)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which answers to read; None: all. `since` to before `until`: when they were received, UTC."""

    vendor: str | None = None
    datasets: Sequence[str] = DATASETS
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class TableReport:
    """What reading again says about one table.

    `read`: facts in the answers. `added`: rows that are not stored. `changed`: rows that are stored with other values,
    the first of them in `examples`. `vanished`: stored from these answers, and no longer read from them. `others`:
    facts whose newest version came from an answer that was not read again, or from none; they are left alone.
    """

    table: str
    read: int = 0
    added: int = 0
    changed: int = 0
    vanished: int = 0
    others: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return bool(self.added or self.changed or self.vanished)


@dataclass(slots=True)
class Report:
    """`unreadable`: questions whose answers break their contract, with the first `complaints`."""

    answers: int = 0
    tables: dict[str, TableReport] = field(default_factory=dict)
    unreadable: int = 0
    complaints: list[str] = field(default_factory=list)
    counted: set[UUID] = field(default_factory=set, repr=False)

    def table(self, name: str) -> TableReport:
        return self.tables.setdefault(name, TableReport(name))

    @property
    def differs(self) -> bool:
        return any(table.differs for table in self.tables.values())


def reparse(database: Database, scope: Scope, *, apply: bool) -> Report:
    """Read the answers in `scope` again. With `apply` what differs is stored, as new versions; else nothing is.

    A fact that is not stored at all gets every version that the answers gave it, in their order: tables that were lost
    are made anew. A fact that is stored gets one more version, when the newest answer about it now says something else.
    """
    report = Report()
    for dataset in (name for name in RECORDS if name in scope.datasets):
        _reparse_records(database, dataset, scope, report, apply)
    for dataset in (name for name in BARS if name in scope.datasets):
        _reparse_bars(database, dataset, scope, report, apply)
    return report


@dataclass(frozen=True)
class _Records:
    """How the records of a dataset are told apart and stored.

    `filing`: what tells versions in one answer apart. `together`: records whose keys begin with the same so many
    values are stored together, because one that is missing among them has ended; None: each for itself.
    """

    table: Table
    key: Callable[[Any, str], tuple[Any, ...]]
    store: Callable[[psycopg.Connection, Sequence[Any], str], int]
    filing: Callable[[Any], Any] = lambda _record: None
    has_origin: bool = True
    together: int | None = None


_STORED_AS = {
    "instruments": _Records(
        instruments.INSTRUMENT_FACTS,
        lambda record, source: (record.symbol, source),
        instruments.store_instruments,
        has_origin=False,
    ),
    "corporate_actions": _Records(
        corporate_actions.ACTIONS,
        lambda record, _: (
            record.symbol,
            record.ex_date,
            str(record.kind),
            record.new_symbol if record.kind is ActionKind.SPIN_OFF else "",
        ),
        corporate_actions.store_actions,
    ),
    "calendar": _Records(
        broker_sessions.BROKER_SESSIONS,
        lambda record, source: (source, record.session_date),
        broker_sessions.store_calendar,
    ),
    "financials": _Records(
        fundamentals.FINANCIALS,
        lambda record, _: (record.symbol, str(record.statement), record.item, record.months, record.period_end),
        fundamentals.store_figures,
        filing=lambda record: record.filed_at,
    ),
    "fundamentals": _Records(
        fundamentals.FUNDAMENTALS,
        lambda record, _: (record.symbol, record.topic, record.item),
        fundamentals.store_facts,
        together=2,
    ),
}


def _reparse_records(database: Database, dataset: str, scope: Scope, report: Report, apply: bool) -> None:
    how = _STORED_AS[dataset]
    # What is stored together, with its values one after the other as the answers gave them.
    history: dict[Any, list[tuple[str, list[Any]]]] = defaultdict(list)
    keys: set[tuple[Any, ...]] = set()
    read_again: set[int] = set()
    aside: list[QuarantinedRow] = []
    for fetch, records, quarantined in _readings(database, dataset, scope, report):
        read_again |= {page.response_id for page in fetch.pages}
        aside += quarantined
        told: dict[Any, list[Any]] = defaultdict(list)
        for record in records:
            key = how.key(record, fetch.vendor)
            keys.add(key)
            told[key[: how.together], how.filing(record)].append(record)
        for unit, facts in told.items():
            values = history[unit]
            if not values or _without_origin(values[-1][1]) != _without_origin(facts):
                values.append((fetch.vendor, facts))
    if not read_again:
        return
    table = report.table(how.table.name)
    table.read += len(keys)
    with database.transaction() as connection:
        stored = newest_responses(connection, how.table) if how.has_origin else {}
        is_new = how.has_origin or not has_rows(connection, how.table)
        table.vanished += len({key for key, origin in stored.items() if origin in read_again} - keys)
        origins: dict[Any, set[int | None]] = defaultdict(set)
        for key, origin in stored.items():
            origins[key[: how.together]].add(origin)
        steps: dict[int, list[tuple[str, list[Any]]]] = defaultdict(list)
        for (unit, _), values in history.items():
            if unit not in origins:
                for place, value in enumerate(values if is_new else values[-1:]):
                    steps[place].append(value)
            # The end of a fact came from no answer.
            elif (told_by := origins[unit] - {None}) and told_by <= read_again:
                steps[0].append(values[-1])
            else:
                table.others += len(values[-1][1])
        for place in sorted(steps):
            for vendor, group in groupby(sorted(steps[place], key=_vendor_of), key=_vendor_of):
                how.store(connection, [record for _, facts in group for record in facts], vendor)
        _finish(connection, how.table, table, aside, report, apply)


def _reparse_bars(database: Database, dataset: str, scope: Scope, report: Report, apply: bool) -> None:
    asked = days_asked_about(database, BARS[dataset], scope.since, scope.until)
    if asked is None:
        return
    first, last = asked
    # A year at a time: a long history need not fit into memory.
    for year in range(first.year, last.year + 1):
        days = (max(first, date(year, 1, 1)), min(last, date(year, 12, 31)))
        _reparse_days_of_bars(database, dataset, scope, days, report, apply)


def _reparse_days_of_bars(
    database: Database, dataset: str, scope: Scope, days: tuple[date, date], report: Report, apply: bool
) -> None:
    import pandas as pd

    frames = []
    read_again: set[int] = set()
    aside: list[QuarantinedRow] = []
    for place, (fetch, frame, quarantined) in enumerate(_readings(database, dataset, scope, report, days)):
        read_again |= {page.response_id for page in fetch.pages}
        aside += quarantined
        frames.append(frame[frame["session_date"].between(*days)].assign(place=place))
    if not frames:
        return
    found = pd.concat(frames, ignore_index=True)
    table = report.table(market.BARS.name)
    stored = newest_bar_responses(database, dataset.removeprefix("bars/"), *days)
    with database.transaction() as connection:
        if found.empty:
            table.vanished += int(stored["response_id"].isin(read_again).sum())
        else:
            for frame in _steps_to_store(_history_of_bars(found, days), stored, read_again, table):
                market.store_bars(connection, frame)
        _finish(connection, market.BARS, table, aside, report, apply)


def _steps_to_store(
    history: pd.DataFrame, stored: pd.DataFrame, read_again: set[int], table: TableReport
) -> Iterator[pd.DataFrame]:
    """The bars to store one after the other: all values of what is not stored, the newest of what came from these."""
    joined = history.merge(stored, on=BAR_KEY, how="outer", suffixes=("", "_stored"), indicator="where")
    from_these, known = joined["response_id_stored"].isin(read_again), joined["where"] == "both"
    is_newest = joined["is_last"].eq(True)
    table.read += len(history.drop_duplicates(BAR_KEY))
    table.vanished += int(((joined["where"] == "right_only") & from_these).sum())
    table.others += int((known & ~from_these & is_newest).sum())
    joined.loc[known, "step"] = 0
    wanted = joined[(joined["where"] == "left_only") | (known & from_these & is_newest)]
    for _, bars in wanted.groupby("step"):
        yield bars[[*BAR_COLUMNS, "response_id"]].astype({"response_id": "int64"})


def _history_of_bars(frame: pd.DataFrame, days: tuple[date, date]) -> pd.DataFrame:
    """Every bar with its values one after the other: `step` from 0, `is_last` at the newest."""
    ordered = frame.sort_values([*BAR_KEY, "place"], ignore_index=True)
    # Of a second vendor's half day only the hour that the first one lacks was asked for (bar_sources.FallbackSource).
    first_source = ordered.groupby(BAR_KEY)["source"].transform("first")
    half_days = [day for day in sessions_between(*days) if end_of_half_day(day)]
    filled_in = ordered["session_date"].isin(half_days) & (ordered["source"] != first_source)
    ordered = ordered[~filled_in].reset_index(drop=True)
    before = ordered.shift()
    compared = list(market.BARS.compared)
    same = (ordered[compared] == before[compared]) | (ordered[compared].isna() & before[compared].isna())
    is_repeated = (ordered[BAR_KEY] == before[BAR_KEY]).all(axis=1) & same.all(axis=1)
    history = ordered[~is_repeated].drop(columns="place")
    return history.assign(
        step=history.groupby(BAR_KEY).cumcount(), is_last=~history.duplicated(BAR_KEY, keep="last")
    ).reset_index(drop=True)


def _readings(
    database: Database, dataset: str, scope: Scope, report: Report, days: tuple[date, date] | None = None
) -> Iterator[tuple[Fetch, Any, list[QuarantinedRow]]]:
    """The questions with what their answers say; those that break their contract are counted and left out."""
    datasets = BARS.get(dataset, (dataset,))
    for fetch in stored_fetches(database, scope.vendor, datasets, scope.since, scope.until, days):
        read = reader_of(fetch.vendor, fetch.dataset)
        if read is None:
            continue
        # A question about several years is read once for each of them.
        is_counted = fetch.fetch_id in report.counted
        report.counted.add(fetch.fetch_id)
        report.answers += 0 if is_counted else len(fetch.pages)
        try:
            facts, quarantined = read(fetch)
        except ContractBroken as error:
            report.unreadable += not is_counted
            if not is_counted and len(report.complaints) < MOST_COMPLAINTS:
                report.complaints.append(str(error))
        else:
            yield fetch, facts, [] if is_counted else quarantined


def _finish(
    connection: psycopg.Connection,
    table: Table,
    into: TableReport,
    aside: Sequence[QuarantinedRow],
    report: Report,
    apply: bool,
) -> None:
    """Count what this transaction has stored, and undo it unless it was asked for."""
    found = versions_added(connection, table)
    into.added += found.added
    into.changed += found.changed
    into.examples = (into.examples + found.examples)[:MOST_COMPLAINTS]
    if aside:
        report.table("market.quarantined_rows").read += len(aside)
        report.table("market.quarantined_rows").added += quarantine_rows(connection, aside)
    if not apply:
        connection.rollback()


def _without_origin(records: Sequence[Any]) -> list[Any]:
    return [replace(each, response_id=None) if hasattr(each, "response_id") else each for each in records]


def _vendor_of(value: tuple[str, list[Any]]) -> str:
    return value[0]
