"""Weights of one decision by every method: what they promise whatever the signals, and what they know at the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.market.universe import Membership, always
from trading_assets.domain.strategy.portfolio import (
    UNKNOWN_SECTOR,
    ReturnHistory,
    SectorFact,
    Sectors,
    WeightReason,
    Weights,
    construct,
)
from trading_assets.domain.strategy.portfolio_rule import READS_RETURNS, PortfolioRule, Sizing
from trading_assets.domain.strategy.position_size import PositionSize, SizeMethod
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.strategy.targets import STORED_SIGNAL_COLUMNS, TARGET_COLUMNS, combine, needed_history
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.sma_crossover import SmaCrossover

LOOKBACK = 60
RETURNS = np.random.default_rng(7).normal(0.0004, 0.01, (LOOKBACK, 8)) * np.linspace(0.5, 3, 8)
SYMBOLS = [f"S{number}" for number in range(8)]
OPENING = datetime(2020, 1, 2, 21, tzinfo=UTC)
METHODS = sorted(Sizing)


def weights(
    rule: PortfolioRule, signals: Any, sectors: Any = None, returns: Any = None, capital: float = 0.8
) -> Weights:
    signals = np.asarray(signals, dtype=np.float64)
    return construct(
        rule,
        capital,
        signals,
        sectors or ["one"] * len(signals),
        RETURNS[:, : len(signals)] if returns is None else returns,
        universe_size=len(signals),
        periods_a_year=252,
    )


def rules() -> Any:
    caps = st.none() | st.floats(0.01, 1)
    return st.builds(PortfolioRule, sizing=st.sampled_from(METHODS), max_symbol_weight=caps, max_sector_weight=caps)


def signals_of(low: float = -1) -> Any:
    return st.lists(st.just(0.0) | st.floats(0.001, 1) | st.floats(low, 1), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@given(rules(), signals_of(), st.data())
def test_weights_keep_to_signs_capital_and_caps_whatever_the_signals(rule: Any, signals: Any, data: Any) -> None:
    sectors = data.draw(st.lists(st.sampled_from(["a", "b", UNKNOWN_SECTOR]), min_size=8, max_size=8))[: len(signals)]
    capital = data.draw(st.floats(0, 1))
    target = weights(rule, signals, sectors, capital=capital).target
    assert np.isfinite(target).all()
    assert (target * np.sign(signals) >= 0).all()
    assert (target[np.array(signals) == 0] == 0).all()
    assert np.abs(target).sum() <= capital + 1e-12
    if rule.max_symbol_weight is not None:
        assert (np.abs(target) <= rule.max_symbol_weight).all()
    for sector in set(sectors):
        held = sum(abs(size) for size, one in zip(target, sectors, strict=True) if one == sector)
        assert held <= (rule.max_sector_weight or 1) + 1e-12


@settings(max_examples=60, deadline=None)
@given(rules(), signals_of(low=0))
def test_long_signals_have_no_short_weight(rule: Any, signals: Any) -> None:
    assert (weights(rule, [abs(one) for one in signals]).target >= 0).all()


@given(signals_of(low=0.001), st.data())
def test_signal_weight_grows_with_its_signal_and_shares_all_the_capital(signals: Any, data: Any) -> None:
    place = data.draw(st.integers(0, len(signals) - 1))
    rule = PortfolioRule(Sizing.SIGNAL_WEIGHT)
    before = weights(rule, signals).target
    signals[place] = data.draw(st.floats(signals[place], 1))
    after = weights(rule, signals).target
    assert after[place] >= before[place] - 1e-15
    if any(signals):
        assert after.sum() == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("sizing", "signals", "expected"),
    [
        (Sizing.UNIVERSE_SHARE, [1, 0.5, 0, -1], [0.2, 0.1, 0, -0.2]),
        (Sizing.EQUAL_WEIGHT, [1, 0.5, 0, -1], [0.8 / 3, 0.4 / 3, 0, -0.8 / 3]),
        (Sizing.SIGNAL_WEIGHT, [1, 0.5, 0, -0.5], [0.4, 0.2, 0, -0.2]),
    ],
)
def test_weights_of_the_methods_without_returns_are_those_counted_by_hand(
    sizing: Sizing, signals: Any, expected: Any
) -> None:
    answer = weights(PortfolioRule(sizing), signals)
    assert answer.target == pytest.approx(expected)
    assert np.isnan(answer.volatility_pct).all()


def test_inverse_volatility_of_a_quiet_and_a_wild_symbol_is_two_to_one() -> None:
    quiet = np.tile([0.01, -0.01], LOOKBACK // 2)
    answer = weights(PortfolioRule(Sizing.INVERSE_VOLATILITY), [1, 1], returns=np.column_stack([quiet, 2 * quiet]))
    assert answer.target == pytest.approx([0.8 * 2 / 3, 0.8 / 3])
    assert answer.volatility_pct == pytest.approx(np.array([1, 2]) * 100 * quiet.std(ddof=1) * np.sqrt(252))


def test_a_short_position_hedges_what_it_moves_with() -> None:
    common = np.random.default_rng(3).normal(0, 0.01, LOOKBACK)
    pair = np.column_stack([common, common * 1.1 + np.random.default_rng(4).normal(0, 0.002, LOOKBACK)])
    rule = PortfolioRule(Sizing.MEAN_VARIANCE, risk_aversion=20)
    both_long, hedged = (np.abs(weights(rule, [1, one], returns=pair).target).sum() for one in (1, -1))
    assert hedged > both_long


@pytest.mark.parametrize("sizing", sorted(READS_RETURNS))
def test_symbol_without_a_usable_history_gets_nothing_and_its_part_stays_in_cash(sizing: Sizing) -> None:
    returns = RETURNS[:, :4].copy()
    returns[:4, 1] = np.nan
    returns[:, 2] = 0.0
    answer = weights(PortfolioRule(sizing), [1, 1, 1, 1], returns=returns)
    assert answer.reason.tolist() == ["SIZED", "HISTORY_TOO_SHORT", "PRICE_WITHOUT_MOVEMENT", "SIZED"]
    assert answer.target[[1, 2]].tolist() == [0, 0]
    assert 0 < answer.target.sum() <= 0.4 + 1e-12


@pytest.mark.parametrize("sizing", sorted(READS_RETURNS))
@pytest.mark.parametrize("rows", [0, 1, 56])
def test_history_shorter_than_the_lookback_gives_no_weight(sizing: Sizing, rows: int) -> None:
    answer = weights(PortfolioRule(sizing), [1, 0.5], returns=RETURNS[:rows, :2])
    assert answer.target.tolist() == [0, 0]
    assert set(answer.reason) == {WeightReason.HISTORY_TOO_SHORT}


@pytest.mark.parametrize("sizing", sorted(READS_RETURNS))
def test_a_few_missing_bars_are_unchanged_prices(sizing: Sizing) -> None:
    holed, filled = RETURNS[:, :3].copy(), RETURNS[:, :3].copy()
    holed[[5, 20, 40], 1], filled[[5, 20, 40], 1] = np.nan, 0.0
    one, other = (weights(PortfolioRule(sizing), [1, 1, 1], returns=each).target for each in (holed, filled))
    assert one.tobytes() == other.tobytes()


def test_unknown_sectors_are_one_capped_sector() -> None:
    rule = PortfolioRule(Sizing.EQUAL_WEIGHT, max_sector_weight=0.3)
    answer = weights(rule, [1, 1, 1, 1], [UNKNOWN_SECTOR, "tech", UNKNOWN_SECTOR, "tech"], capital=0.8)
    assert answer.target == pytest.approx([0.15] * 4)
    assert set(answer.reason) == {WeightReason.SECTOR_CAPPED}


def test_mean_variance_fills_other_sectors_where_one_is_at_its_cap() -> None:
    rule = PortfolioRule(Sizing.MEAN_VARIANCE, risk_aversion=0.1, max_sector_weight=0.3)
    answer = weights(rule, [1, 1, 1, 1], ["tech", "tech", "tech", "oil"], capital=0.8)
    assert answer.target[:3].sum() == pytest.approx(0.3)
    assert answer.target[3] == pytest.approx(0.3)


# Whole ranges --------------------------------------------------------------------------------------


def bars(count: int = 90, symbols: Any = SYMBOLS[:4]) -> pd.DataFrame:
    rows = []
    for number, symbol in enumerate(symbols):
        prices = 50 * np.cumprod(1 + np.random.default_rng(number).normal(0.0005, 0.01 * (number + 1), count))
        for day, price in enumerate(prices):
            at = OPENING + timedelta(days=day)
            rows.append((symbol, at, at.date(), float(price)))
    return pd.DataFrame(rows, columns=["symbol", "closes_at", "session_date", "close"])


def history(frame: pd.DataFrame, after: datetime | None = None, until: datetime | None = None) -> ReturnHistory:
    last = until or frame["closes_at"].max().to_pydatetime()
    known = frame[frame["closes_at"] <= last]
    factors = pd.Series(1.0, index=known.index)
    return ReturnHistory.of_bars(Timeframe.SESSION, after or OPENING - timedelta(1), last, known, factors, LOOKBACK)


def configured(sizing: Sizing, **rule: Any) -> ConfiguredStrategy:
    portfolio = PortfolioRule(sizing, **rule)
    return ConfiguredStrategy("one", SmaCrossover(), Timeframe.SESSION, 0.8, portfolio)


def signals_on(frame: pd.DataFrame, one: ConfiguredStrategy) -> pd.DataFrame:
    frame = frame.rename(columns={"closes_at": "decision_at"}).assign(strategy=one.name, strategy_version=one.version)
    strengths = np.sin(np.arange(len(frame)) * 1.7)
    return frame.assign(signal=np.where(np.abs(strengths) < 0.2, 0.0, strengths))[list(STORED_SIGNAL_COLUMNS)]


def as_bytes(targets: pd.DataFrame) -> list[tuple[Any, ...]]:
    ordered = targets.sort_values(["decision_at", "symbol"])
    return [
        (row.symbol, row.decision_at, row.target_weight.hex(), float(row.volatility_pct).hex(), row.reason_code)
        for row in ordered.itertuples()
    ]


@pytest.mark.parametrize("sizing", METHODS)
def test_one_range_and_decision_by_decision_give_the_same_bytes(sizing: Sizing) -> None:
    frame, one, members = bars(), configured(sizing, max_sector_weight=0.5), always(SYMBOLS[:4])
    signals = signals_on(frame, one)
    whole = combine(signals, [one], members, [history(frame)])
    single = []
    for at, rows in signals.groupby("decision_at"):
        moment = at.to_pydatetime()
        known = history(frame, moment - timedelta(hours=1), moment)
        single.append(combine(rows, [one], members, [known]))
    assert as_bytes(pd.concat(single)) == as_bytes(whole)
    assert tuple(whole.columns) == TARGET_COLUMNS
    assert (whole["target_weight"] != 0).sum() > 100


@pytest.mark.parametrize("sizing", METHODS)
def test_order_of_rows_and_symbols_changes_no_weight(sizing: Sizing) -> None:
    frame, one, members = bars(70), configured(sizing, max_sector_weight=0.5), always(SYMBOLS[:4])
    signals = signals_on(frame, one)
    shuffled = frame.sample(frac=1, random_state=1)
    mixed = combine(signals.sample(frac=1, random_state=2), [one], members[::-1], [history(shuffled)])
    assert as_bytes(mixed) == as_bytes(combine(signals, [one], members, [history(frame)]))


@pytest.mark.parametrize("sizing", sorted(READS_RETURNS))
def test_later_bars_change_no_earlier_weight(sizing: Sizing) -> None:
    frame, one, members = bars(), configured(sizing), always(SYMBOLS[:4])
    moment = OPENING + timedelta(days=75)
    changed = frame.assign(close=np.where(frame["closes_at"] > moment, frame["close"] * 3, frame["close"]))
    signals = signals_on(frame, one)
    until_then = signals[signals["decision_at"] <= moment]
    with_and_without = [combine(until_then, [one], members, [history(each)]) for each in (frame, changed)]
    assert as_bytes(with_and_without[0]) == as_bytes(with_and_without[1])


def test_decision_that_no_history_covers_gets_no_weight() -> None:
    frame, one = bars(), configured(Sizing.EQUAL_RISK_CONTRIBUTION)
    targets = combine(signals_on(frame, one), [one], always(SYMBOLS[:4]), [])
    assert (targets["target_weight"] == 0).all()
    assert set(targets["reason_code"]) == {"HISTORY_TOO_SHORT", "NO_SIGNAL"}


def test_symbols_that_are_no_members_take_no_part() -> None:
    frame, one = bars(70), configured(Sizing.EQUAL_WEIGHT)
    signals = signals_on(frame, one).assign(signal=1.0)
    targets = combine(signals, [one], [Membership(symbol, date(2019, 1, 1)) for symbol in SYMBOLS[:2]])
    by_symbol = targets.groupby("symbol")[["target_weight", "reason_code"]].first()
    assert by_symbol["target_weight"].tolist() == [0.4, 0.4, 0.0, 0.0]
    assert by_symbol["reason_code"].tolist()[2:] == ["NOT_A_MEMBER"] * 2


def test_gap_in_the_bars_of_a_symbol_is_a_missing_return_and_the_next_one_spans_it() -> None:
    frame = bars(70, SYMBOLS[:2])
    gap = OPENING + timedelta(days=40)
    window = history(frame[(frame["symbol"] != "S1") | (frame["closes_at"] != gap)]).window(
        OPENING + timedelta(days=41), ["S1"], 2
    )
    prices = frame[frame["symbol"] == "S1"]["close"].to_numpy()
    assert np.isnan(window[0, 0])
    assert window[1, 0] == prices[41] / prices[39] - 1


def test_sector_of_a_decision_is_what_was_known_then_and_meant_by_the_symbol_that_day() -> None:
    early, late = datetime(2015, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    first = SectorFact("AAA", date(2010, 1, 1), date(2018, 12, 31), "retail", early)
    sectors = Sectors(
        [
            first._replace(sector="media", known_at=late),
            first,
            SectorFact("AAA", date(2019, 1, 1), None, "energy", early),
        ]
    )
    assert sectors.at("AAA", date(2012, 1, 3), datetime(2012, 1, 3, 21, tzinfo=UTC)) == "retail"
    assert sectors.at("AAA", date(2018, 1, 3), datetime(2018, 1, 3, 21, tzinfo=UTC)) == "retail"
    assert sectors.at("AAA", date(2018, 1, 3), late) == "media"
    assert sectors.at("AAA", date(2021, 1, 4), late) == "energy"
    assert sectors.at("AAA", date(2009, 1, 5), late) == sectors.at("BBB", date(2012, 1, 3), late) == UNKNOWN_SECTOR


def test_only_what_a_method_reads_decides_trading() -> None:
    assert PortfolioRule(lookback=90, risk_aversion=2).facts() == {}
    assert PortfolioRule(Sizing.EQUAL_WEIGHT, lookback=90).facts() == {"sizing": Sizing.EQUAL_WEIGHT}
    rule = PortfolioRule(Sizing.INVERSE_VOLATILITY, lookback=90, risk_aversion=2)
    assert rule.facts() == {"sizing": Sizing.INVERSE_VOLATILITY, "lookback": 90}
    assert "risk_aversion" in replace(rule, sizing=Sizing.MEAN_VARIANCE).facts()


# What sizes are made of ----------------------------------------------------------------------------


def ranged(count: int = 70) -> pd.DataFrame:
    """Bars with highs and lows; the price of the first symbol halves on day 40, by a split."""
    frame = bars(count, SYMBOLS[:2]).assign(ts=lambda rows: rows["closes_at"] - timedelta(hours=6))
    is_split = (frame["symbol"] == "S0") & (frame["closes_at"] >= OPENING + timedelta(days=40))
    frame["close"] = np.where(is_split, frame["close"] / 2, frame["close"])
    width = np.where(is_split, 0.5, 1.0)
    return frame.assign(open=frame["close"], high=frame["close"] + width, low=frame["close"] - width, volume=1e6)


def measured(frame: pd.DataFrame, method: SizeMethod, until: datetime | None = None) -> pd.DataFrame:
    size = PositionSize(method, period=5)
    one = ConfiguredStrategy("one", SmaCrossover(), Timeframe.SESSION, 0.8, PortfolioRule(lookback=20), size)
    last = until or frame["closes_at"].max().to_pydatetime()
    known = frame[frame["closes_at"] <= last]
    is_split = (known["symbol"] == "S0") & (known["closes_at"] >= OPENING + timedelta(days=40))
    factors = pd.Series(np.where(is_split, 2.0, 1.0), index=known.index)
    lookback, periods = needed_history([one], Timeframe.SESSION)
    span = OPENING - timedelta(1), last
    history = ReturnHistory.of_bars(Timeframe.SESSION, *span, known, factors, lookback, periods)
    signals = signals_on(known, one).assign(signal=1.0)
    return combine(signals, [one], always(SYMBOLS[:2]), [history]).set_index(["symbol", "decision_at"])


def test_range_of_a_share_is_in_the_prices_of_its_bar_and_goes_on_over_a_split() -> None:
    atr = measured(ranged(), SizeMethod.ATR)["atr_usd"]["S0"]
    assert atr.isna().sum() == 5
    before, after = (atr[OPENING + timedelta(days=day)] for day in (39, 40))
    assert after == pytest.approx(before / 2, rel=0.15)
    assert measured(ranged(), SizeMethod.KELLY)[["atr_usd", "volatility_pct"]].isna().all(axis=None)


def test_volatility_of_a_size_is_that_of_the_last_returns() -> None:
    frame = ranged()
    got = measured(frame, SizeMethod.VOLATILITY_TARGET)["volatility_pct"]["S1"]
    returns = frame[frame["symbol"] == "S1"]["close"].pct_change().tail(20)
    assert got.iloc[-1] == pytest.approx(100 * returns.std() * np.sqrt(252))
    assert got.iloc[:19].isna().all()


@pytest.mark.parametrize("method", [SizeMethod.ATR, SizeMethod.VOLATILITY_TARGET])
def test_measures_of_a_size_do_not_know_later_bars(method: SizeMethod) -> None:
    moment = OPENING + timedelta(days=50)
    frame = ranged()
    is_later = frame["closes_at"] > moment
    changed = frame.assign(**{name: frame[name] * np.where(is_later, 3, 1) for name in ("close", "high", "low")})
    columns = ["atr_usd", "volatility_pct"]
    whole, other, then = (
        measured(rows, method, until)[columns].loc[lambda each: each.index.get_level_values(1) <= moment]
        for rows, until in ((frame, None), (changed, None), (frame, moment))
    )
    assert whole.equals(other)
    assert whole.equals(then.loc[whole.index])
    assert whole.notna().any(axis=None)
