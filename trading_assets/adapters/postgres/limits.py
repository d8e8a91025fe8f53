"""The schema `risk`: limits by the time they count from. A change is only ever added; what is recorded stays as it is.

No change may reach back: it counts from after the newest bar close that an account at the broker has lived through.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg.types.json import Jsonb

from trading_assets.adapters.account_terms import limits_of
from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.postgres.ledger import lock_ledger
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.risk.limit_changes import LimitChange, is_loosening, values_at

if TYPE_CHECKING:
    import psycopg

    from trading_assets.settings import TradingSettings

NEEDS_NO_SECOND_PERSON = frozenset({"simulated"})
"""Brokers at which no money is at stake."""


def limit_changes(connection: psycopg.Connection, broker: str) -> list[LimitChange]:
    """Every change for accounts at `broker`, in the order in which they were set."""
    return select(connection, LimitChange, _CHANGES, broker=broker)


def limits_in_force(connection: psycopg.Connection, settings: TradingSettings, at: datetime) -> dict[str, Any]:
    """The section `risk` of trading.yaml as it holds at `at` (UTC)."""
    changes = limit_changes(connection, settings.broker.kind)
    return values_at(settings.risk.limits(), changes, at)


def set_limit(
    connection: psycopg.Connection,
    settings: TradingSettings,
    name: str,
    value: Any,
    by: str,
    why: str,
    now: datetime,
    effective_from: datetime | None = None,
    broker: str | None = None,
) -> LimitChange:
    """Set the limit `name` from `effective_from` on, by default from `now` (UTC). `broker` is by default that of today.

    A tightening counts from then on. A loosening for a broker with money at stake waits for `confirm_limit`.
    Raises NotFound for an unknown name, and ContractBroken for a value that is no limit, without a name or a reason,
    and for a time that an account has lived through.
    """
    lock_ledger(connection)
    broker, begin = broker or settings.broker.kind, effective_from or now
    base = settings.risk.limits()
    if name not in base:
        near = get_close_matches(name, base, n=1)
        raise NotFound(f"{name} is no limit.{f' Did you mean {near[0]}?' if near else ''} There are {', '.join(base)}.")
    if not by.strip() or not why.strip():
        raise ContractBroken("A limit is set by a person with a reason: give --by and --why.")
    _require_to_come(connection, broker, begin)
    changes = limit_changes(connection, broker)
    before = values_at(base, changes, begin)
    _require_sane(settings, base, changes, name, value, begin)
    loosens = is_loosening(name, before[name], value)
    row = connection.execute(
        "insert into risk.limits (broker, name, value, effective_from, is_loosening, needs_confirmation, set_by, why, "
        "set_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning limit_no",
        (broker, name, Jsonb(value), begin, loosens, loosens and broker not in NEEDS_NO_SECOND_PERSON, by, why, now),
    ).fetchone()
    assert row is not None  # noqa: S101  an insert that returns
    return next(change for change in limit_changes(connection, broker) if change.limit_no == row[0])


def confirm_limit(connection: psycopg.Connection, broker: str, name: str, by: str, now: datetime) -> LimitChange:
    """Let the newest change of `name` count, confirmed by a second person.

    Raises NotFound when it waits for nobody, and ContractBroken when its own setter confirms it.
    """
    lock_ledger(connection)
    of_name = [change for change in limit_changes(connection, broker) if change.name == name]
    if not of_name or not of_name[-1].needs_confirmation or of_name[-1].confirmed_at is not None:
        raise NotFound(f"The newest change of {name} waits for no confirmation: `trading limit list` shows which do.")
    waiting = of_name[-1]
    if not by.strip() or by.strip().casefold() == waiting.set_by.strip().casefold():
        raise ContractBroken(f"{waiting.set_by} set {name} to {waiting.value}: another person has to confirm it.")
    _require_to_come(connection, broker, max(now, waiting.effective_from))
    connection.execute(
        "insert into risk.limit_confirmations (limit_no, set_by, confirmed_by, confirmed_at) values (%s, %s, %s, %s)",
        (waiting.limit_no, waiting.set_by, by, now),
    )
    return next(change for change in limit_changes(connection, broker) if change.limit_no == waiting.limit_no)


def _require_to_come(connection: psycopg.Connection, broker: str, begin: datetime) -> None:
    row = connection.execute(
        "select account_id, at from execution.equity join execution.accounts using (account_id) "
        "where broker = %s and at >= %s order by at desc limit 1",
        (broker, begin),
    ).fetchone()
    if row:
        raise ContractBroken(
            f"Account {row[0]} has lived through {row[1]:%Y-%m-%d %H:%M} UTC: a limit counts from after that, so that "
            "what is recorded can be replayed. `trading whatif` tries other limits over the past."
        )


def _require_sane(
    settings: TradingSettings,
    base: dict[str, Any],
    changes: Sequence[LimitChange],
    name: str,
    value: Any,
    begin: datetime,
) -> None:
    """Whether the limits are sane together, from `begin` on and after every change that is to come."""
    times = {begin} | {one.counts_from for one in changes if one.counts_from is not None and one.counts_from > begin}
    for at in sorted(times):
        try:
            limits_of(settings)({**values_at(base, changes, at), name: value})
        except ValueError as error:
            raise ContractBroken(f"{name} cannot be {value}: {_first_problem(error)}.") from error


def _first_problem(error: ValueError) -> str:
    """The reason in one line; pydantic's own text has one a problem."""
    problems = getattr(error, "errors", None)
    return str(problems()[0]["msg"]).lower() if problems else str(error)


_CHANGES: LiteralString = """
    select limit_no, name, value, effective_from, is_loosening, needs_confirmation, set_by, why, set_at, confirmed_by,
           confirmed_at, counts_from
    from risk.limit_history where broker = %(broker)s order by limit_no
"""
