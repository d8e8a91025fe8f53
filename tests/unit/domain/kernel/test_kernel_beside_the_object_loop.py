"""The compiled loop and the object loop live the same lives, to the last digit, over random markets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.ledger import replay_key
from trading_assets.domain.journal import Journal
from trading_assets.domain.kernel.arrays import NotRepresentableError
from trading_assets.domain.kernel.convert import stretch_of, terms_of, wants_of
from trading_assets.domain.kernel.records import activities_of, breakers_of, equity_point, fills_of, verdicts_of
from trading_assets.domain.kernel.run import Life, Names, live
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.simulation import Moment, Rules, open_book, walk
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import Timeframe

D = Decimal
DAYS = sessions_between(date(2012, 11, 19), date(2012, 12, 14))
SYMBOLS = ("AAA", "BBB", "CCC")
STRATEGIES = ("one", "two")
CASH = D(100_000)
STANDINGS = always_tradable(SYMBOLS)


@st.composite
def limits(draw: st.DrawFn) -> RiskLimits:
    def share(least: int, most: int) -> Decimal:
        return D(draw(st.integers(least, most))) / 1000

    stop_new = share(10, 80)
    return RiskLimits(
        max_order_qty=draw(st.sampled_from([50, 1_000, 100_000])),
        max_order_notional=share(50, 1000),
        max_position=share(100, 1000),
        max_gross_exposure=share(200, 1000),
        cash_buffer=share(0, 100),
        stop_new_daily_loss=stop_new,
        stop_all_daily_loss=stop_new + share(0, 100),
        stop_all_drawdown=share(50, 500),
        rebalance_band=share(0, 30),
        approval_ttl=timedelta(minutes=2),
        allow_short=draw(st.booleans()),
    )


@st.composite
def bars_of(draw: st.DrawFn, day: date, hour: int | None, price: dict[str, int]) -> list[Bar]:
    bounds = bar_bounds(day, Timeframe.SESSION)[0] if hour is None else bar_bounds(day, Timeframe.HOUR)[hour]
    bars = []
    for symbol in SYMBOLS:
        if draw(st.integers(0, 9)) == 0:
            continue
        opened = max(1, price[symbol] * draw(st.integers(93, 107)) // 100)
        closed = max(1, opened * draw(st.integers(94, 106)) // 100)
        price[symbol] = closed
        volume = draw(st.sampled_from([0, 7, 300, 5_000, 10**6]))
        o, c = D(opened) / 10_000, D(closed) / 10_000
        bars.append(Bar(symbol, bounds.ts, bounds.closes_at, day, o, max(o, c), min(o, c), c, D(volume)))
    return bars


@st.composite
def actions_of(draw: st.DrawFn, day: date, price: dict[str, int]) -> list[CorporateAction]:
    actions = []
    for symbol in SYMBOLS:
        match draw(st.integers(0, 14)):
            case 0:
                amount = D(draw(st.integers(1, 20_000))) / 10_000
                paid = draw(st.sampled_from([None, day, day + timedelta(days=3)]))
                actions.append(CorporateAction(symbol, day, ActionKind.CASH_DIVIDEND, amount_usd=amount, pay_date=paid))
            case 1:
                ratio = draw(st.sampled_from([D(2), D("1.5"), D("0.1"), D("0.333"), D("3.000000001")]))
                actions.append(CorporateAction(symbol, day, ActionKind.SPLIT, split_ratio=ratio))
                price[symbol] = max(1, int(price[symbol] / ratio))
            case 2:
                actions.append(CorporateAction(symbol, day, ActionKind.STOCK_DIVIDEND, share_ratio=D("0.05")))
            case _:
                pass
    return actions


@st.composite
def markets(draw: st.DrawFn) -> list[Moment]:
    price = {symbol: draw(st.integers(500, 3_000_000)) for symbol in SYMBOLS}
    is_hourly = draw(st.booleans())
    moments = []
    for day in DAYS[: draw(st.integers(3, 6 if is_hourly else len(DAYS)))]:
        actions = draw(actions_of(day, price))
        gates = {symbol: "closed" if draw(st.integers(0, 7)) == 0 else "open" for symbol in SYMBOLS}
        hours: Sequence[int | None] = range(len(bar_bounds(day, Timeframe.HOUR))) if is_hourly else [None]
        for hour in hours:
            kind = Timeframe.SESSION if hour is None else Timeframe.HOUR
            at = bar_bounds(day, kind)[hour or 0].closes_at
            bars = draw(bars_of(day, hour, price))
            present = {bar.symbol for bar in bars}
            targets = [
                Target(strategy, "1", symbol, at, day, D(draw(st.integers(-6, 8))) / 12 // D("1e-9") * D("1e-9"))
                for strategy in STRATEGIES
                for symbol in SYMBOLS
                if draw(st.integers(0, 2)) and (symbol in present or draw(st.integers(0, 3)) == 0)
            ]
            moments.append(Moment(at, session(day), bars, actions, targets, gates, standings=STANDINGS))
    return moments


def by_objects(moments: Sequence[Moment], rules: Rules) -> Journal:
    account, journal = open_book("acc", CASH, moments[0].session)
    walk(account, moments, rules, {}, (), journal)
    return journal


def compiled(moments: Sequence[Moment], rules: Rules) -> Life:
    stretch, targets = stretch_of(moments), [target for moment in moments for target in moment.targets]
    wants = wants_of(
        stretch,
        STRATEGIES,
        [target.strategy for target in targets],
        [target.symbol for target in targets],
        [target.decision_at for target in targets],
        [int(target.target_weight * 10**9) for target in targets],
    )
    names = Names("acc", tuple((strategy, "1") for strategy in STRATEGIES))
    return live(stretch, wants, terms_of(rules), CASH, names)


def verdicts_of_journal(journal: Journal) -> list[tuple]:
    return [
        (
            one.intent.decision_at,
            one.intent.strategy,
            one.intent.symbol,
            one.intent.side,
            one.intent.purpose,
            one.intent.leg,
            one.intent.qty,
            one.approved_qty,
            one.reason_codes,
        )
        for one in journal.verdicts
    ]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    moments=markets(),
    limits=limits(),
    slippage=st.sampled_from(["0", "5", "12.5"]),
    share=st.sampled_from(["0.1", "1"]),
)
def test_compiled_loop_lives_the_life_of_the_object_loop(
    moments: list[Moment], limits: RiskLimits, slippage: str, share: str
) -> None:
    rules = Rules(limits, FillModel(D(slippage), D(share)))
    try:
        life = compiled(moments, rules)
    except NotRepresentableError as refused:
        event(f"refused: {str(refused)[:40]}")
        return
    journal = by_objects(moments, rules)
    event(f"fills {len(journal.fills) // 10 * 10}")

    assert list(verdicts_of(life)) == verdicts_of_journal(journal)
    assert sorted(fills_of(life), key=replay_key) == sorted(journal.fills, key=replay_key)
    told = [replace(activity, detail={}) for activity in journal.activities[1:]]
    assert sorted(activities_of(life), key=replay_key) == sorted(told, key=replay_key)
    assert [equity_point(life, row, CASH) for row in range(len(moments))] == journal.equity
    assert breakers_of(life) == [(one.breaker, one.state) for one in journal.breaker_events]
