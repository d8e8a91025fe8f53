"""How an account at a real broker begins in the ledger: with what the broker says is in it.

What somebody else holds there is adopted into the book of others: counted, and never traded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.booked_records import SEEN_BEFORE_DETAIL
from trading_assets.domain.execution.broker_records import ActivityRecord, BrokerAccount, BrokerFill, BrokerPosition
from trading_assets.domain.execution.ids import activity_id
from trading_assets.domain.execution.ledger import EXTERNAL, MARK_PRICE_DETAIL, Activity, ActivityKind
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.sessions import latest_closed_bar, newest_session, session
from trading_assets.domain.values import ZERO, Timeframe, money

if TYPE_CHECKING:
    import psycopg

    from trading_assets.settings import TradingSettings


@dataclass(frozen=True, slots=True)
class Found:
    """What is found in an account before we trade there: `records` are those that cash and positions contain."""

    account: BrokerAccount
    positions: Sequence[BrokerPosition]
    records: Sequence[ActivityRecord]


def broker_account_id(venue: str, account_number: str) -> str:
    return f"{venue}-{account_number}"


def broker_account(connection: psycopg.Connection, account_id: str) -> ledger.AccountRecord | None:
    """The account, if it was opened."""
    return next((record for record in ledger.accounts(connection) if record.account_id == account_id), None)


def configured_account(connection: psycopg.Connection, settings: TradingSettings) -> ledger.AccountRecord | None:
    """The account that is traded, None before there is one. Of the simulated ones it is that which traded last."""
    broker = settings.broker
    if broker.account is None:
        name = ledger.current_account(connection)
        return None if name is None else broker_account(connection, name)
    return broker_account(connection, broker_account_id(broker.venue, broker.account))


def open_broker_account(
    connection: psycopg.Connection, account_id: str, venue: str, fingerprint: str, found: Found, now: datetime
) -> ledger.AccountRecord:
    """Open the account with what was found in it at `now` (UTC); an account that is there stays as it is.

    Its first records carry the newest bar close, so that the account has a value at it. Raises ContractBroken when the
    broker does not say what is in it.
    """
    if (existing := broker_account(connection, account_id)) is not None:
        return existing
    cash, positions = _cash(found.account), [_readable(one) for one in found.positions]
    day = newest_session(now)
    at = max(session(day).opens_at, latest_closed_bar(now, Timeframe.HOUR).closes_at)
    cost = sum((money(qty * price) for _, qty, price in positions), ZERO)
    connection.execute(
        "insert into execution.accounts (account_id, broker, fingerprint, inception_session, opening_cash_usd) "
        "values (%s, %s, %s, %s, %s)",
        (account_id, venue, fingerprint, day, cash + cost),
    )
    seen = " ".join(_ids(found.records))
    deposit = _activity(account_id, ActivityKind.DEPOSIT, at, None, cash + cost, {SEEN_BEFORE_DETAIL: seen})
    adopted = [_adopted(account_id, at, *one) for one in positions]
    ledger.record(connection, Journal(activities=[deposit, *adopted]))
    record = broker_account(connection, account_id)
    assert record is not None  # noqa: S101  it was inserted above
    return record


def _cash(account: BrokerAccount) -> Decimal:
    if account.cash_usd is None:
        raise ContractBroken(f"The broker does not say how much cash is in account {account.account_number}.")
    return account.cash_usd


def _readable(position: BrokerPosition) -> tuple[str, Decimal, Decimal]:
    if position.qty is None or position.avg_entry_price is None:
        raise ContractBroken(
            f"The broker does not say what is held of {position.symbol}: {', '.join(position.faults)}."
        )
    return position.symbol, position.qty, position.avg_entry_price


def _ids(records: Iterable[ActivityRecord]) -> list[str]:
    return [one.execution_id if isinstance(one, BrokerFill) else one.activity_id for one in records]


def _adopted(account_id: str, at: datetime, symbol: str, qty: Decimal, price: Decimal) -> Activity:
    """Shares that were there before: bought by somebody else, at what they had cost on average."""
    detail = {MARK_PRICE_DETAIL: str(price)}
    return _activity(account_id, ActivityKind.EXTERNAL_TRADE, at, symbol, -money(qty * price), detail, EXTERNAL, qty)


def _activity(
    account_id: str,
    kind: ActivityKind,
    at: datetime,
    symbol: str | None,
    amount_usd: Decimal,
    detail: dict[str, str],
    strategy: str | None = None,
    qty: Decimal = ZERO,
) -> Activity:
    day = newest_session(at)
    return Activity(
        activity_id=activity_id(account_id, kind, day, symbol, strategy),
        account_id=account_id,
        kind=kind,
        at=at,
        settles_on=day,
        session_date=day,
        strategy=strategy,
        symbol=symbol,
        qty_delta=qty,
        amount_usd=amount_usd,
        detail=detail,
    )
