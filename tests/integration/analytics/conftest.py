"""A small ledger that is consistent by construction: two strategies, two symbols, ninety sessions, a dividend, a split,
fees, a deposit, a denial and a trade through zero. Written with plain arithmetic, apart from the code under test."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import MakeDatabase
from psycopg import sql
from psycopg.types.json import Jsonb

from trading_assets.adapters.postgres.database import Database

ACCOUNT = "simulated-0badcafe-2020-01-02"
STRATEGIES = {"momentum": "1.0+aaaaaaaa", "reversion": "1.0+bbbbbbbb"}
SYMBOLS = ("AAA", "BBB")
CASH = Decimal(100_000)
SPLIT_DAY, DIVIDEND_DAY, PAY_DAY, DEPOSIT_DAY, DENIAL_DAY = 40, 25, 29, 55, 10
DECIDE_EVERY = 5


def sessions() -> list[date]:
    days = (date(2020, 1, 2) + timedelta(days=n) for n in range(130))
    return [day for day in days if day.weekday() < 5][:90]


def opens_at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)


def closes_at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 21, 0, tzinfo=UTC)


def price(symbol: str, number: int) -> Decimal:
    base = 40 + 8 * math.sin(number / 6 + len(symbol) * SYMBOLS.index(symbol)) + number / 10
    if symbol == "BBB" and number >= SPLIT_DAY:
        base /= 2
    return Decimal(f"{base:.2f}")


@dataclass
class Writer:
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, table: str, **values: Any) -> None:
        self.rows[table].append(values)

    def store(self, database: Database) -> None:
        with database.transaction() as connection:
            for table, rows in self.rows.items():
                names = list(rows[0])
                statement = sql.SQL("insert into {} ({}) values ({})").format(
                    sql.Identifier(*table.split(".")),
                    sql.SQL(", ").join(map(sql.Identifier, names)),
                    sql.SQL(", ").join(sql.Placeholder() * len(names)),
                )
                connection.cursor().executemany(statement, [list(row.values()) for row in rows])


@dataclass
class Holding:
    qty: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)

    def trade(self, qty: Decimal, at_price: Decimal) -> None:
        closing = min(abs(qty), abs(self.qty)) if self.qty * qty < 0 else Decimal(0)
        if closing:
            released = self.cost * closing / abs(self.qty)
            self.realised += closing * at_price * (1 if self.qty > 0 else -1) - released
            self.cost -= released
        rest = (abs(qty) - closing) * (1 if qty > 0 else -1)
        self.qty += qty
        self.cost += rest * at_price


def write_ledger() -> Writer:
    out = Writer()
    days = sessions()
    cash, receivable, flows, fees, dividends, peak = CASH, Decimal(0), CASH, Decimal(0), Decimal(0), CASH
    holdings = {(s, x): Holding() for s in STRATEGIES for x in SYMBOLS}
    due: dict[int, Decimal] = {}
    working: list[dict[str, Any]] = []
    out.add(
        "execution.accounts",
        account_id=ACCOUNT,
        broker="simulated",
        fingerprint="0badcafe",
        inception_session=days[0],
        opening_cash_usd=CASH,
    )
    out.add("ops.current_account", account_id=ACCOUNT)
    for symbol in SYMBOLS:
        out.add(
            "market.instrument_facts",
            instrument_id=f"test:{symbol}",
            name=f"{symbol} Corp.",
            exchange="XNYS",
            is_tradable=True,
            source="test",
        )
        out.add(
            "market.instrument_symbols",
            instrument_id=f"test:{symbol}",
            symbol=symbol,
            valid_from=days[0],
            source="test",
        )

    actions = (("BBB", SPLIT_DAY, "split", 2, None), ("AAA", DIVIDEND_DAY, "cash_dividend", None, 0.55))
    for symbol, number, kind, ratio, amount in actions:
        out.add(
            "market.corporate_actions",
            symbol=symbol,
            ex_date=days[number],
            kind=kind,
            split_ratio=ratio,
            amount_usd=amount,
            source="test",
        )

    def activity(kind: str, number: int, at: datetime, **more: Any) -> None:
        row = {"strategy": None, "symbol": None, "qty_delta": 0, "amount_usd": 0, "settles_on": days[number], **more}
        identity = f"{kind}-{number}-{row['strategy']}-{row['symbol']}"
        out.add(
            "execution.activities",
            activity_id=identity,
            account_id=ACCOUNT,
            kind=kind,
            at=at,
            session_date=days[number],
            **row,
        )

    for number, day in enumerate(days):
        opened, closed = opens_at(day), closes_at(day)
        if number == 0:
            activity("deposit", 0, opened, amount_usd=CASH)
        if number in due:
            settled = due.pop(number)
            cash, receivable = cash + settled, receivable - settled
        if number == DEPOSIT_DAY:
            activity("deposit", number, opened, amount_usd=Decimal(20_000))
            cash, flows = cash + 20_000, flows + 20_000
        for (strategy, symbol), held in holdings.items():
            if number == SPLIT_DAY and symbol == "BBB" and held.qty:
                activity("split", number, opened, strategy=strategy, symbol=symbol, qty_delta=held.qty)
                held.qty *= 2
            if number == DIVIDEND_DAY and symbol == "AAA" and held.qty:
                amount = held.qty * Decimal("0.55")
                activity(
                    "dividend",
                    number,
                    opened,
                    strategy=strategy,
                    symbol=symbol,
                    amount_usd=amount,
                    settles_on=days[PAY_DAY],
                )
                dividends, receivable = dividends + amount, receivable + amount
                due[PAY_DAY] = due.get(PAY_DAY, Decimal(0)) + amount
        sold = Decimal(0)
        for order in working:
            sign = 1 if order["side"] == "buy" else -1
            if order["symbol"] == "BBB" and number == SPLIT_DAY:
                order["qty"] *= 2
            fill_price = price(order["symbol"], number) + Decimal("0.01") * sign
            out.add(
                "execution.fills",
                execution_id="fill-" + order["id"],
                client_order_id=order["id"],
                account_id=ACCOUNT,
                strategy=order["strategy"],
                symbol=order["symbol"],
                side=order["side"],
                qty=order["qty"],
                price=fill_price,
                filled_at=opened,
                booked_at=closed,
                session_date=day,
            )
            out.add(
                "execution.order_events",
                client_order_id=order["id"],
                event_no=4,
                status="FILLED",
                qty=order["qty"],
                at=closed,
                session_date=day,
            )
            holdings[order["strategy"], order["symbol"]].trade(order["qty"] * sign, fill_price)
            cash -= order["qty"] * fill_price * sign
            sold += order["qty"] * fill_price if sign < 0 else 0
        working = []
        if sold:
            fee = (sold * Decimal("22.1") / 1_000_000).quantize(Decimal("0.01")) + Decimal("0.01")
            activity("fee_sec", number, closed, amount_usd=-fee)
            cash, fees = cash - fee, fees + fee
        for symbol in SYMBOLS:
            mark = float(price(symbol, number))
            out.add(
                "market.bars",
                symbol=symbol,
                timeframe="1d",
                ts=opened,
                closes_at=closed,
                session_date=day,
                open=mark,
                high=mark + 1,
                low=mark - 1,
                close=mark,
                volume=1e6,
                source="test",
            )
        value = {key: held.qty * price(key[1], number) for key, held in holdings.items()}
        for (strategy, symbol), held in holdings.items():
            out.add(
                "execution.positions",
                account_id=ACCOUNT,
                session_date=day,
                strategy=strategy,
                symbol=symbol,
                as_of=closed,
                qty=held.qty,
                avg_cost_usd=held.cost / held.qty if held.qty else 0,
                mark_price=price(symbol, number),
                value_usd=value[strategy, symbol],
                realised_usd=held.realised,
                unrealised_usd=value[strategy, symbol] - held.cost,
            )
        held_value = sum(value.values())
        equity = cash + receivable + held_value
        peak = max(peak, equity)
        out.add(
            "execution.equity",
            account_id=ACCOUNT,
            at=closed,
            session_date=day,
            cash_usd=cash,
            receivable_usd=receivable,
            positions_usd=held_value,
            equity_usd=equity,
            realised_usd=sum(h.realised for h in holdings.values()),
            unrealised_usd=held_value - sum(h.cost for h in holdings.values()),
            dividends_usd=dividends,
            fees_usd=fees,
            flows_usd=flows,
            high_water_mark_usd=peak,
        )
        if number % DECIDE_EVERY == 0 and number < len(days) - 1:
            for offset, (strategy, version) in enumerate(STRATEGIES.items()):
                for symbol in SYMBOLS:
                    step = number // DECIDE_EVERY + offset + SYMBOLS.index(symbol)
                    wanted = Decimal([0, 100, 150, 0, -50, 80][step % 6])
                    change = wanted - holdings[strategy, symbol].qty
                    signal = float(wanted) / 150
                    common = {
                        "strategy": strategy,
                        "strategy_version": version,
                        "symbol": symbol,
                        "decision_at": closed,
                        "session_date": day,
                    }
                    out.add("strategy.signals", **common, timeframe="1d", signal=signal, reason=f"step {step % 6}")
                    out.add("strategy.targets", **common, signal=signal, capital_weight=0.5, target_weight=signal / 2)
                    if not change:
                        continue
                    intent = f"{strategy}-{symbol}-{number}"
                    denied = number == DENIAL_DAY and symbol == "AAA"
                    side = "buy" if change > 0 else "sell"
                    out.add(
                        "risk.verdicts",
                        **common,
                        intent_id=intent,
                        account_id=ACCOUNT,
                        side=side,
                        purpose="rebalance",
                        target_weight=Decimal(f"{signal / 2:.9f}"),
                        requested_qty=abs(change),
                        approved_qty=0 if denied else abs(change),
                        outcome="denied" if denied else "approved",
                        reason_codes=["QUALITY_GATE_CLOSED"] if denied else [],
                        reference_price=price(symbol, number),
                        equity_usd=equity,
                    )
                    out.add(
                        "risk.verdict_checks",
                        intent_id=intent,
                        rule_id="quality_gate",
                        is_passed=not denied,
                        reason_code="QUALITY_GATE_CLOSED" if denied else None,
                        inputs=Jsonb({}),
                    )
                    if denied:
                        continue
                    out.add(
                        "risk.approvals",
                        intent_id=intent,
                        qty=abs(change),
                        approved_at=closed,
                        expires_at=closed + timedelta(minutes=2),
                    )
                    identity = "order-" + intent
                    out.add(
                        "execution.orders",
                        client_order_id=identity,
                        intent_id=intent,
                        account_id=ACCOUNT,
                        strategy=strategy,
                        strategy_version=version,
                        symbol=symbol,
                        side=side,
                        qty=abs(change),
                        order_type="market",
                        time_in_force="day",
                        submitted_at=closed,
                        session_date=day,
                    )
                    for event_no, status in enumerate(("SUBMITTING", "ACKED", "WORKING"), start=1):
                        out.add(
                            "execution.order_events",
                            client_order_id=identity,
                            event_no=event_no,
                            status=status,
                            qty=abs(change),
                            at=closed,
                            session_date=day,
                        )
                    working.append(
                        {"id": identity, "strategy": strategy, "symbol": symbol, "side": side, "qty": abs(change)}
                    )
    return out


@pytest.fixture(scope="module")
def ledger(new_module_database: MakeDatabase) -> Database:
    """A database that holds the ledger, shared by the tests of a module."""
    database = new_module_database()
    write_ledger().store(database)
    return database
