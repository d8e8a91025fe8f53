"""A configuration ends the same by the compiled loop as by the object loop; what it cannot trade it refuses."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from trading_assets.adapters.account_terms import rules_of
from trading_assets.adapters.sample import SampleSource
from trading_assets.domain import trials
from trading_assets.domain.backtest import KnownBars, MarketRecord, Terms, trade
from trading_assets.domain.execution.entries import EntryPlan
from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.orders import OrderType
from trading_assets.domain.kernel import rows
from trading_assets.domain.kernel.arrays import NotRepresentableError
from trading_assets.domain.kernel.convert import ensure_representable
from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.market.universe import always
from trading_assets.domain.performance.summary import summarise
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.risk.standings import Condition, Span, Standings, always_tradable
from trading_assets.domain.strategy.knowledge import parts
from trading_assets.domain.strategy.portfolio import Sectors
from trading_assets.domain.strategy.strategy import NO_FACTS, ConfiguredStrategy, View
from trading_assets.domain.tape import Tape
from trading_assets.domain.trials import outcome
from trading_assets.domain.values import Timeframe
from trading_assets.settings import PROJECT_ROOT, load_trading_settings
from trading_assets.strategies.rsi_reversion import RsiReversion
from trading_assets.strategies.sma_crossover import SmaCrossover

# With the split of AAPL in 2005, and dividends.
SYMBOLS, FIRST, LAST = ("AAPL", "IBM", "MSFT"), date(2004, 1, 2), date(2006, 12, 29)
CONFIGURED = (
    ConfiguredStrategy("rsi_reversion", RsiReversion(), Timeframe.SESSION, 0.4),
    ConfiguredStrategy("sma_crossover", SmaCrossover(fast=5, slow=20), Timeframe.SESSION, 0.5),
)


@pytest.fixture(scope="module")
def record() -> MarketRecord:
    return record_of(always_tradable(SYMBOLS))


def record_of(standings: Standings) -> MarketRecord:
    source, now, days = SampleSource(), session(LAST).closes_at, sessions_between(FIRST, LAST)
    bars = source.bars(SYMBOLS, Timeframe.SESSION, FIRST, LAST, now)
    (whole,) = parts(FIRST, LAST, Timeframe.SESSION, [], now)
    traded = bars.sort_values(["closes_at", "symbol"], ignore_index=True)
    gates = {(day, symbol): "open" for day in days for symbol in SYMBOLS if (day.day, symbol) != (7, "IBM")}
    actions = source.corporate_actions(SYMBOLS, FIRST, LAST)
    return MarketRecord(
        first=FIRST,
        last=LAST,
        now=now,
        members=always(SYMBOLS),
        known={Timeframe.SESSION: [KnownBars(whole, bars, bars["close"] * 0 + 1.0, actions)]},
        tape=Tape.of(traded, actions, gates, standings),
        sectors=Sectors(),
        facts_of=lambda strategy, part: NO_FACTS,
    )


@pytest.fixture
def bundled() -> Terms:
    return Terms("acc", Decimal(100_000), rules_of(load_trading_settings(PROJECT_ROOT / "trading.yaml")))


def test_bundled_rules_have_the_same_outcome_by_either_loop(
    record: MarketRecord, bundled: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_objects = summarise(trade(record, record.targets(CONFIGURED), bundled, FIRST, LAST))
    monkeypatch.delattr(trials, "trade")
    compiled = outcome(record, CONFIGURED, bundled, FIRST, LAST)

    assert compiled.figures == by_objects.figures
    assert compiled.figures.fills > 50
    assert compiled.figures.dividends_usd > 0
    for name in (field.name for field in fields(compiled)):
        one, other = getattr(compiled, name), getattr(by_objects, name)
        if name == "strategy_profit_usd":
            assert one.keys() == other.keys()
            assert all(one[key].tobytes() == other[key].tobytes() for key in one)
        elif isinstance(one, np.ndarray):
            assert one.tobytes() == other.tobytes(), name
        else:
            assert one == other, name


def test_a_window_has_the_same_outcome_as_its_own_record(record: MarketRecord, bundled: Terms) -> None:
    first, last = date(2005, 1, 3), date(2005, 12, 30)
    by_objects = summarise(trade(record, record.targets(CONFIGURED), bundled, first, last))
    assert outcome(record, CONFIGURED, bundled, first, last).figures == by_objects.figures


def test_exits_entries_and_limits_that_are_not_compiled_take_the_object_loop(
    record: MarketRecord, bundled: Terms
) -> None:
    rules = bundled.rules
    ensure_representable(rules)
    tight = replace(rules, exits={"sma_crossover": ExitPlan(stop_loss=Decimal("0.03"))})
    limited = replace(rules, limits=replace(rules.limits, max_net_exposure=Decimal("0.5")))
    patient = replace(rules, entries={"sma_crossover": EntryPlan(OrderType.LIMIT, Decimal(-20))})
    for other in (tight, limited, patient):
        with pytest.raises(NotRepresentableError):
            ensure_representable(other)
        terms = replace(bundled, rules=other)
        by_objects = summarise(trade(record, record.targets(CONFIGURED), terms, FIRST, date(2004, 6, 30)))
        assert outcome(record, CONFIGURED, terms, FIRST, date(2004, 6, 30)).figures == by_objects.figures


class LongOrShort(SmaCrossover):
    """Signal -1 where the crossover has none."""

    def signals(self, view: View) -> pd.DataFrame:
        decided = super().signals(view)
        return decided.assign(signal=2 * decided["signal"] - 1)


UNTIL_2005 = Span("IBM", Condition.NOT_SHORTABLE, end=session(date(2005, 1, 3)).opens_at)


@pytest.mark.parametrize("spans", [[], [UNTIL_2005]])
def test_shorts_have_the_same_outcome_by_either_loop(
    spans: list[Span], bundled: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = record_of(Standings([*always_tradable(SYMBOLS).spans, *spans]))
    rules = replace(bundled.rules, limits=replace(bundled.rules.limits, allow_short=True))
    terms = replace(bundled, rules=rules)
    strategies = [ConfiguredStrategy("long_or_short", LongOrShort(fast=5, slow=20), Timeframe.SESSION, 0.2)]
    by_objects = summarise(trade(record, record.targets(strategies), terms, FIRST, LAST))
    monkeypatch.delattr(trials, "trade")
    compiled = outcome(record, strategies, terms, FIRST, LAST)

    assert compiled.figures == by_objects.figures
    assert compiled.denials == by_objects.denials
    refused = {one.reason_code for one in compiled.denials}
    assert "SHORT_SALE_RESTRICTED" in refused
    assert ("NOT_BORROWABLE" in refused) is bool(spans)


def test_every_rule_is_compiled_or_known_to_pass_or_off_by_default(bundled: Terms) -> None:
    limits = bundled.rules.limits
    off = {rule.rule_id for rule in RULES if any(getattr(limits, key) is None for key in rule.limit_keys)}
    known = {*rows.RULE_IDS, *rows.PASSED}
    assert {rule.rule_id for rule in RULES} == known | off
    assert not known & off
