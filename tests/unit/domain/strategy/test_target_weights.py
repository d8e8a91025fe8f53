"""Weights: their formula, their sum, and their one crossing into the ledger's decimals."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.market.universe import Membership, always
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.strategy.targets import STORED_SIGNAL_COLUMNS, TARGET_COLUMNS, combine, weight_of
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.sma_crossover import SmaCrossover

UNIVERSE = ["AAPL", "IBM", "MSFT"]
MEMBERS = always(UNIVERSE)
AT = datetime(2020, 1, 2, 21, tzinfo=UTC)


def configured(name: str, capital_weight: float) -> ConfiguredStrategy:
    return ConfiguredStrategy(name, SmaCrossover(), Timeframe.SESSION, capital_weight)


def signals_of(rows: list[tuple[ConfiguredStrategy, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(one.name, one.version, symbol, AT, date(2020, 1, 2), signal) for one, symbol, signal in rows],
        columns=list(STORED_SIGNAL_COLUMNS),
    )


def test_weight_is_capital_weight_times_signal_by_the_size_of_the_universe():
    one = configured("one", 0.6)
    targets = combine(signals_of([(one, "AAPL", 1.0), (one, "IBM", -0.5)]), [one], MEMBERS)
    assert tuple(targets.columns) == TARGET_COLUMNS
    assert targets["target_weight"].tolist() == pytest.approx([0.2, -0.1])


def test_missing_symbol_leaves_its_share_in_cash():
    one = configured("one", 0.6)
    alone = combine(signals_of([(one, "AAPL", 1.0)]), [one], MEMBERS)["target_weight"].tolist()
    all_ = combine(signals_of([(one, symbol, 1.0) for symbol in UNIVERSE]), [one], MEMBERS)["target_weight"].tolist()
    assert alone[0] == all_[0]


def test_only_members_of_the_day_are_wanted_and_nobody_who_left_or_is_still_to_come():
    one, day = configured("one", 0.6), date(2020, 1, 2)
    members = [
        Membership("AAPL", date(2019, 1, 2)),
        Membership("IBM", date(2019, 1, 2), date(2020, 1, 1)),
        Membership("MSFT", date(2020, 1, 3)),
        Membership("ORCL", day, day),
    ]
    targets = combine(signals_of([(one, symbol, 1.0) for symbol in [*UNIVERSE, "ORCL"]]), [one], members)
    assert dict(zip(targets["symbol"], targets["target_weight"], strict=True)) == pytest.approx(
        {"AAPL": 0.3, "IBM": 0.0, "MSFT": 0.0, "ORCL": 0.3}
    )


def test_signals_of_a_version_that_is_not_configured_are_refused():
    one = configured("one", 0.6)
    stale = ConfiguredStrategy("one", SmaCrossover(fast=5), Timeframe.SESSION, 0.6)
    with pytest.raises(ValueError, match=r"Signals of one 1\+\w+ belong to no configured strategy"):
        combine(signals_of([(stale, "AAPL", 1.0)]), [one], MEMBERS)


@given(st.data())
def test_absolute_weights_never_sum_to_more_than_the_capital(data):
    shares = data.draw(st.lists(st.integers(0, 100), min_size=1, max_size=6))
    total = max(sum(shares), 100)
    strategies = [configured(f"s{number}", share / total) for number, share in enumerate(shares)]
    rows = [
        (one, symbol, data.draw(st.floats(-1, 1)))
        for one in strategies
        for symbol in UNIVERSE
        if data.draw(st.booleans())
    ]
    targets = combine(signals_of(rows), strategies, MEMBERS)
    in_ledger = sum((abs(weight_of(weight)) for weight in targets["target_weight"]), Decimal(0))
    capital = sum(Decimal(share) / total for share in shares)
    assert in_ledger <= capital + Decimal("1e-15") <= 1 + Decimal("1e-15")


@given(st.floats(-1, 1))
def test_crossing_into_decimals_is_towards_zero_and_within_a_billionth(number):
    weight = weight_of(number)
    assert abs(weight) <= abs(Decimal(repr(number)))
    assert abs(weight - Decimal(repr(number))) < Decimal("0.000000001")
    assert weight.as_tuple().exponent == -9
