"""The compiled loop and the object loop live the same lives, to the last digit, over random markets."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, Verbosity, event, given, settings
from hypothesis import strategies as st

from trading_assets.domain import kernel
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.ledger import replay_key
from trading_assets.domain.journal import Journal
from trading_assets.domain.kernel import compiler
from trading_assets.domain.kernel.arrays import NotRepresentableError
from trading_assets.domain.kernel.convert import stretch_of, terms_of, wants_of
from trading_assets.domain.kernel.records import activities_of, breakers_of, equity_point, fills_of, verdicts_of
from trading_assets.domain.kernel.run import Life, Names, live
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import bar_bounds, previous_session, session, sessions_between
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.market_view import MarketHistory
from trading_assets.domain.risk.price_falls import PastPrices
from trading_assets.domain.risk.standings import Condition, Span, Standings, always_tradable
from trading_assets.domain.simulation import Moment, Rules, open_book, walk
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import Timeframe

D = Decimal
DAYS = sessions_between(date(2012, 11, 19), date(2012, 12, 14))
SYMBOLS = ("AAA", "BBB", "CCC")
STRATEGIES = ("one", "two")
CASH = D(100_000)
AFTERWARDS = session(DAYS[-1]).closes_at


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
            moments.append(Moment(at, session(day), bars, actions, targets, gates))
    standings, history = draw(lent_shares()), past_prices(moments)
    return [replace(moment, standings=standings, history=history) for moment in moments]


@st.composite
def lent_shares(draw: st.DrawFn) -> Standings:
    """Listed and tradable at all times; some are not lent, or only after asking, up to some session or from it on."""
    spans = list(always_tradable(SYMBOLS).spans)
    for symbol in SYMBOLS:
        at = session(draw(st.sampled_from(DAYS))).opens_at
        condition = draw(st.sampled_from([Condition.NOT_SHORTABLE, Condition.HARD_TO_BORROW, None]))
        if condition:
            spans.append(draw(st.sampled_from([Span(symbol, condition, end=at), Span(symbol, condition, at)])))
    return Standings(spans)


def past_prices(moments: Sequence[Moment]) -> MarketHistory:
    """What the bars say about falls, with those of a calm session before the first."""
    before = previous_session(moments[0].session.date)
    closing = session(before)
    calm = [Bar(symbol, closing.opens_at, closing.closes_at, before, *[D(90)] * 4, D(1)) for symbol in SYMBOLS]
    bars = [*calm, *(bar for moment in moments for bar in moment.bars)]
    frame = pd.DataFrame(
        {
            "symbol": [bar.symbol for bar in bars],
            "session_date": [bar.session_date for bar in bars],
            "closes_at": pd.to_datetime([bar.closes_at for bar in bars], utc=True).tz_localize(None),
            "low": [float(bar.low) for bar in bars],
            "close": [float(bar.close) for bar in bars],
        }
    ).sort_values(["symbol", "closes_at"], ignore_index=True)
    actions = {id(moment.actions): moment.actions for moment in moments}.values()
    known = PastPrices.of_bars(closing.opens_at, AFTERWARDS, frame, [one for each in actions for one in each])
    return MarketHistory(prices=[known])


def by_objects(moments: Sequence[Moment], rules: Rules) -> Journal:
    account, journal = open_book("acc", CASH, moments[0].session)
    walk(account, moments, rules, {}, (), journal)
    return journal


def lived(moments: Sequence[Moment], rules: Rules) -> Life:
    stretch = stretch_of(moments, with_shorts=rules.allows_shorts)
    targets = [target for moment in moments for target in moment.targets]
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


def check_one_life(moments: list[Moment], limits: RiskLimits, slippage: str, share: str) -> None:
    rules = Rules(limits, FillModel(D(slippage), D(share)))
    try:
        life = lived(moments, rules)
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


OVER_MARKETS = given(
    moments=markets(),
    limits=limits(),
    slippage=st.sampled_from(["0", "5", "12.5"]),
    share=st.sampled_from(["0.1", "1"]),
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@OVER_MARKETS
def test_compiled_loop_lives_the_life_of_the_object_loop(
    moments: list[Moment], limits: RiskLimits, slippage: str, share: str
) -> None:
    check_one_life(moments, limits, slippage, share)


def found(examples: int) -> None:
    """The property over the same random markets each time, up to the first that does not have it."""
    over = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    over(OVER_MARKETS(check_one_life))()


# Planted defects --------------------------------------------------------------------------------------

PARTS = ("arithmetic", "logs", "marks", "fills", "sessions", "review", "decisions", "loop")
"""The modules that are compiled, each after those that it imports."""


@contextmanager
def interpreted(part: str = "", before: str = "", after: str = "") -> Iterator[None]:
    """The loop as Python runs it, which takes no compiling, with `before` in the source of `part` turned to `after`."""
    with pytest.MonkeyPatch.context() as patch:
        for way in ("compiled", "apart", "summed", "entry"):
            patch.setattr(compiler, way, lambda function: function)
        ahead = ModuleType("ahead")
        ahead.fetch_early = lambda *_: None
        patch.setitem(sys.modules, f"{kernel.__name__}.memory", ahead)
        for name in PARTS:
            source = (Path(kernel.__path__[0]) / f"{name}.py").read_text(encoding="utf-8")
            if name == part:
                assert source.count(before) == 1, f"{before!r} is no longer one place of {name}: plant it anew"
                source = source.replace(before, after)
            module = ModuleType(f"{kernel.__name__}.{name}")
            exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102  the project's own code
            patch.setitem(sys.modules, module.__name__, module)
            patch.setattr(kernel, name, module, raising=False)
        yield


def test_interpreted_loop_lives_the_same_life() -> None:
    with interpreted():
        found(examples=8)


DEFECTS = {
    "a price is rounded down": ("fills", "price = half_even(", "price = floor_of("),
    "a fee is rounded to the nearest cent": ("sessions", "sec = CENT * ceiling_of(", "sec = CENT * half_even("),
    "a symbol without a bar is worth nothing": ("marks", "else marks[symbol]", "else 0.0"),
    "an order that works is not counted": ("decisions", "state.buys[symbol] += qty", "state.buys[symbol] += 0"),
    "a split leaves working orders": ("sessions", "return _split_orders(state, log, symbol, ratio) and", "return"),
    "a small trade is not asked about": ("decisions", "band * SURELY", "band * 20"),
    "what competes fills in the order of sending": ("fills", "if is_shared or wanted > order", "if wanted < 0 > order"),
    "a breaker leaves orders at work": ("loop", "if ends_orders(state, log):", "if False:"),
    "a short is not asked about": ("review", "if terms.allow_short and side < 0 < qty:", "if False:"),
    "a fall is not known and binds nobody": ("review", "if lowest == UNKNOWN:", "if False:"),
    "shares are lent without asking": ("review", "asked[SHORT_IS_EASY], True)", "True, True)"),
    "a reduction takes the shares of any rule": ("review", "if allowed < least else", "if allowed > least else"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_planted_defect_is_found(name: str) -> None:
    with interpreted(*DEFECTS[name]), pytest.raises(AssertionError):
        found(examples=300)
