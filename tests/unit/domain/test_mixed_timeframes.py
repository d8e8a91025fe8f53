"""Hourly and daily strategies in one account: both decide at the session's close, and each keeps its own position."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.sessions import bar_bounds, session
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.risk.verdicts import Outcome
from trading_assets.domain.simulation import Account, Moment, Rules, open_book, walk
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import Side, Timeframe

D = Decimal
MON, TUE = date(2012, 11, 26), date(2012, 11, 27)
LIMITS = RiskLimits(
    max_order_qty=D(100_000),
    max_order_notional=D(1),
    max_position=D(1),
    max_gross_exposure=D("0.5"),
    cash_buffer=D(0),
    stop_new_daily_loss=D("0.5"),
    stop_all_daily_loss=D("0.6"),
    stop_all_drawdown=D("0.7"),
    rebalance_band=D("0.02"),
    approval_ttl=timedelta(minutes=2),
    allow_short=False,
)
RULES = Rules(LIMITS, FillModel(slippage_bps=D(0), volume_limit=D(1)))


def hourly_moments(day: date, hourly: str, daily: str | None) -> list[Moment]:
    """The seven closes of a session of hours at 100; `daily` decides at the last of them, where `hourly` does too."""
    bounds = bar_bounds(day, Timeframe.HOUR)
    moments = []
    for bar in bounds:
        traded = Bar("IBM", bar.ts, bar.closes_at, day, D(100), D(100), D(100), D(100), D(1_000_000))
        targets = [Target("hourly", "1", "IBM", bar.closes_at, day, D(hourly))]
        if daily is not None and bar == bounds[-1]:
            targets.insert(0, Target("daily", "1", "IBM", bar.closes_at, day, D(daily)))
        moments.append(
            Moment(
                bar.closes_at, session(day), [traded], (), targets, {"IBM": "open"}, standings=always_tradable(["IBM"])
            )
        )
    return moments


def lived(moments: list[Moment]) -> tuple[Account, Journal]:
    account, journal = open_book("acc", D(100_000), moments[0].session)
    walk(account, moments, RULES, {}, (), journal)
    return account, journal


def held(account: Account) -> dict[str, Decimal]:
    return {strategy: position.qty for (strategy, _), position in account.book.positions.items()}


def test_both_kinds_decide_at_the_close_and_trade_at_the_next_opening() -> None:
    account, journal = lived([*hourly_moments(MON, "0.2", "0.3"), *hourly_moments(TUE, "0.2", None)])

    close = session(MON).closes_at
    at_the_close = [verdict.intent for verdict in journal.verdicts if verdict.intent.decision_at == close]
    assert [(intent.strategy, intent.side, intent.qty) for intent in at_the_close] == [("daily", Side.BUY, D(300))]
    assert [(fill.strategy, fill.qty, fill.filled_at) for fill in journal.fills] == [
        ("hourly", D(200), bar_bounds(MON, Timeframe.HOUR)[1].ts),
        ("daily", D(300), session(TUE).opens_at),
    ]
    assert held(account) == {"hourly": D(200), "daily": D(300)}


def test_opposite_wishes_at_one_close_stay_two_orders_of_two_strategies() -> None:
    history = [
        *hourly_moments(MON, "0.2", "0.3"),
        *hourly_moments(TUE, "0.2", None)[:-1],
    ]
    last = hourly_moments(TUE, "0", "0.45")[-1]
    account, journal = lived([*history, last])

    orders = [order for order in journal.orders if order.submitted_at == session(TUE).closes_at]
    assert [(order.strategy, order.side) for order in orders] == [("hourly", Side.SELL)]
    denied = [verdict for verdict in journal.verdicts if verdict.outcome is Outcome.DENIED]
    assert [verdict.intent.strategy for verdict in denied] == ["daily"]
    assert held(account) == {"hourly": D(200), "daily": D(300)}


def test_order_in_which_wishes_arrive_decides_nothing() -> None:
    history = [*hourly_moments(MON, "0.2", "0.3"), *hourly_moments(TUE, "0.4", "0.45")]
    turned_round = [replace(moment, targets=moment.targets[::-1]) for moment in history]
    assert lived(turned_round)[1] == lived(history)[1]
