"""Price factors and adjusted series: by hand, against the vendor's own adjusted closes, and for look-ahead."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.adapters.sample import SampleSource
from trading_assets.domain.market.adjust import (
    PRICES,
    adjusted_as_of,
    point_in_time_factors,
    price_factor,
    unadjust_splits,
)
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction, DelistingReason
from trading_assets.domain.values import Timeframe

FIRST, LAST = date(2000, 3, 1), date(2013, 3, 1)
SYMBOLS = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]


@pytest.fixture(scope="module")
def sample() -> SampleSource:
    return SampleSource()


@pytest.fixture(scope="module")
def bars(sample: SampleSource) -> pd.DataFrame:
    return sample.bars(SYMBOLS, Timeframe.SESSION, FIRST, LAST, datetime(2020, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def actions(sample: SampleSource) -> list[CorporateAction]:
    return sample.corporate_actions(SYMBOLS, FIRST, LAST)


def split(ratio: str, ex_date: date = date(2020, 1, 3)) -> CorporateAction:
    return CorporateAction("X", ex_date, ActionKind.SPLIT, split_ratio=Decimal(ratio))


def dividend(amount: str, ex_date: date = date(2020, 1, 3)) -> CorporateAction:
    return CorporateAction("X", ex_date, ActionKind.CASH_DIVIDEND, amount_usd=Decimal(amount))


def frame(closes: dict[date, float]) -> pd.DataFrame:
    days = list(closes)
    at = pd.to_datetime(days, utc=True)
    values = {price: list(closes.values()) for price in PRICES}
    return pd.DataFrame({"symbol": "X", "session_date": days, "closes_at": at, **values, "volume": 1000.0})


def stock_dividend(rate: str, ex_date: date = date(2020, 1, 3)) -> CorporateAction:
    return CorporateAction("X", ex_date, ActionKind.STOCK_DIVIDEND, share_ratio=Decimal(rate))


def spin_off(value: str | None = None, ex_date: date = date(2020, 1, 3)) -> CorporateAction:
    worth = None if value is None else Decimal(value)
    return CorporateAction("X", ex_date, ActionKind.SPIN_OFF, new_symbol="Y", share_ratio=Decimal(1), value_usd=worth)


THREE_DAYS = frame({date(2020, 1, 2): 100.0, date(2020, 1, 3): 49.0, date(2020, 1, 6): 50.0})


def test_factor_of_a_two_for_one_split_is_a_half() -> None:
    assert price_factor(split("2"), 100.0) == 0.5


def test_factor_of_a_dividend_is_its_share_of_the_previous_close() -> None:
    assert price_factor(dividend("1.50"), 100.0) == 0.985


def test_dividend_not_below_the_previous_close_is_refused() -> None:
    with pytest.raises(ValueError, match=r"X 2020-01-03: a cash_dividend of 100 USD a share after .* 100\.0 USD"):
        price_factor(dividend("100"), 100.0)


def test_factor_of_a_stock_dividend_and_of_a_spin_off_with_a_value() -> None:
    assert price_factor(stock_dividend("0.25"), 100.0) == 0.8
    assert price_factor(spin_off("20"), 100.0) == 0.8


def test_spin_off_worth_the_whole_share_or_of_unknown_worth_has_no_factor_by_itself() -> None:
    for worthless in (spin_off("100"), spin_off()):
        with pytest.raises(ValueError, match="X 2020-01-03: a spin_off of"):
            price_factor(worthless, 100.0)


def test_spin_off_of_unknown_worth_takes_it_from_the_opening_of_its_day() -> None:
    bars = THREE_DAYS.assign(open=[100.0, 70.0, 50.0])
    # Of the 30 USD between close and open the dividend explains 10.
    factors = point_in_time_factors(bars, [spin_off(), dividend("10"), spin_off()])
    assert factors.tolist() == pytest.approx([1.0, 100 / 70, 100 / 70])
    # A share that opens higher has lost nothing.
    assert point_in_time_factors(bars.assign(open=110.0), [spin_off()]).tolist() == [1.0, 1.0, 1.0]
    # On the evening before nobody knows.
    assert point_in_time_factors(bars[:1], [spin_off()]).tolist() == [1.0]


def test_stock_dividend_makes_more_volume_and_a_rename_or_a_delisting_changes_nothing() -> None:
    adjusted = adjusted_as_of(THREE_DAYS, [stock_dividend("0.25")], date(2020, 1, 6))
    assert adjusted["volume"].tolist() == [1250.0, 1000.0, 1000.0]
    assert adjusted["close"].tolist() == pytest.approx([80.0, 49.0, 50.0])
    neutral = [
        CorporateAction("X", date(2020, 1, 3), ActionKind.RENAME, new_symbol="Y"),
        CorporateAction("X", date(2020, 1, 3), ActionKind.DELISTING, reason=DelistingReason.WORTHLESS),
    ]
    pd.testing.assert_frame_equal(adjusted_as_of(THREE_DAYS, neutral, date(2020, 1, 6)), THREE_DAYS)


def test_adjusted_prices_and_volume_across_a_split_and_a_dividend() -> None:
    adjusted = adjusted_as_of(THREE_DAYS, [split("2"), dividend("2")], date(2020, 1, 6))

    assert adjusted["close"].tolist() == pytest.approx([100 * 0.98 * 0.5, 49.0, 50.0])
    assert adjusted["volume"].tolist() == [2000.0, 1000.0, 1000.0]


def test_adjusted_as_of_the_day_before_the_ex_date_is_raw() -> None:
    adjusted = adjusted_as_of(THREE_DAYS, [split("2")], date(2020, 1, 2))

    assert adjusted["close"].tolist() == [100.0]


def test_action_before_the_first_bar_and_after_the_last_change_nothing() -> None:
    early, late = dividend("1", date(2019, 12, 31)), split("2", date(2020, 1, 7))

    assert point_in_time_factors(THREE_DAYS, [early, late]).tolist() == [1.0, 1.0, 1.0]


def test_action_of_another_symbol_changes_nothing() -> None:
    other = CorporateAction("Y", date(2020, 1, 3), ActionKind.SPLIT, split_ratio=Decimal(2))

    assert point_in_time_factors(THREE_DAYS, [other]).tolist() == [1.0, 1.0, 1.0]


def test_factors_keep_the_index_and_the_order_of_the_bars() -> None:
    shuffled = THREE_DAYS.iloc[[2, 0, 1]]

    assert point_in_time_factors(shuffled, [split("2")]).to_dict() == {2: 2.0, 0: 1.0, 1: 2.0}


@pytest.mark.parametrize(
    ("symbol", "ex_date", "ratio"),
    [("AAPL", "2000-06-21", 2), ("AAPL", "2005-02-28", 2), ("MSFT", "2003-02-18", 2)],
)
def test_sample_has_the_known_splits(actions: list[CorporateAction], symbol: str, ex_date: str, ratio: int) -> None:
    splits = {(a.symbol, str(a.ex_date)): a.split_ratio for a in actions if a.kind is ActionKind.SPLIT}
    assert len(splits) == 3
    assert splits[symbol, ex_date] == ratio


@pytest.mark.parametrize(
    ("symbol", "ex_date", "amount"),
    [
        ("MSFT", "2003-02-19", 0.08),
        ("MSFT", "2004-11-15", 3.08),
        ("AAPL", "2012-08-09", 2.65),
        ("AAPL", "2012-11-07", 2.65),
        ("IBM", "2000-05-08", 0.13),
        ("IBM", "2008-05-07", 0.50),
        ("IBM", "2012-11-07", 0.85),
    ],
)
def test_sample_dividends_lie_near_the_declared_ones(
    actions: list[CorporateAction], symbol: str, ex_date: str, amount: float
) -> None:
    found = {(a.symbol, str(a.ex_date)): a.amount_usd for a in actions if a.kind is ActionKind.CASH_DIVIDEND}
    assert float(found[symbol, ex_date]) == pytest.approx(amount, abs=0.11)


def test_adjusted_returns_equal_the_vendors_everywhere(
    sample: SampleSource, bars: pd.DataFrame, actions: list[CorporateAction]
) -> None:
    factors = point_in_time_factors(bars, actions)
    ours = (bars["close"] * factors).groupby(bars["symbol"]).pct_change()
    vendor = sample._daily.groupby("symbol")["adj_close"].pct_change()
    # Half a cent of rounding in a dividend on a price of 20 USD.
    np.testing.assert_allclose(ours, vendor, atol=0.00025)


def test_adjusted_returns_are_continuous_at_ex_dates(bars: pd.DataFrame, actions: list[CorporateAction]) -> None:
    adjusted = (bars["close"] * point_in_time_factors(bars, actions)).groupby(bars["symbol"]).pct_change()
    at_splits = pd.Series(False, index=bars.index)
    for action in actions:
        if action.kind is ActionKind.SPLIT:
            at_splits |= (bars["symbol"] == action.symbol) & (bars["session_date"] == action.ex_date)
    assert at_splits.sum() == 3
    assert adjusted[at_splits].abs().max() < 0.10


def test_adjusted_as_of_is_the_forward_series_in_units_of_that_day(
    bars: pd.DataFrame, actions: list[CorporateAction]
) -> None:
    as_of = date(2005, 3, 1)
    adjusted = adjusted_as_of(bars, actions, as_of)
    known = bars[bars["session_date"] <= as_of]
    factors = point_in_time_factors(known, actions)
    forward = known["close"] * factors
    in_units_of_the_day = forward / factors.groupby(known["symbol"]).transform("last")
    np.testing.assert_allclose(adjusted["close"], in_units_of_the_day, rtol=1e-12)


def test_factors_of_a_prefix_are_the_same_bytes_whatever_happens_later(
    bars: pd.DataFrame, actions: list[CorporateAction]
) -> None:
    cut = date(2005, 2, 25)
    earlier = bars[bars["session_date"] <= cut]
    known = [action for action in actions if action.ex_date <= cut]

    whole = point_in_time_factors(bars, actions)[earlier.index]

    assert whole.to_numpy().tobytes() == point_in_time_factors(earlier, known).to_numpy().tobytes()
    assert whole.to_numpy().tobytes() == point_in_time_factors(earlier, actions).to_numpy().tobytes()


def test_unadjusting_gives_back_what_traded_before_each_split() -> None:
    fetched = frame({date(2020, 1, 2): 10.0, date(2020, 1, 3): 20.0, date(2020, 1, 6): 30.0})
    actions = [split("2", date(2020, 1, 3)), split("0.1", date(2020, 1, 6)), dividend("5", date(2020, 1, 3))]
    raw = unadjust_splits(fetched, actions, date(2020, 1, 6))
    assert raw["close"].to_list() == pytest.approx([10 * 2 * 0.1, 20 * 0.1, 30])
    assert raw["volume"].to_list() == pytest.approx([1000 / 2 / 0.1, 1000 / 0.1, 1000])


def test_unadjusting_leaves_out_splits_after_the_fetch_and_of_other_symbols() -> None:
    later, other = split("4", date(2020, 1, 7)), CorporateAction("Y", date(2020, 1, 6), ActionKind.SPLIT, Decimal(3))
    pd.testing.assert_frame_equal(unadjust_splits(THREE_DAYS, [later, other], date(2020, 1, 6)), THREE_DAYS)


def test_unadjusting_undoes_adjusting_for_splits(bars: pd.DataFrame, actions: list[CorporateAction]) -> None:
    splits = [action for action in actions if action.kind is ActionKind.SPLIT]
    again = unadjust_splits(adjusted_as_of(bars, splits, LAST), splits, LAST)
    assert len(splits) > 2
    np.testing.assert_allclose(again[[*PRICES, "volume"]], bars[[*PRICES, "volume"]], rtol=1e-12)


DAYS = [date(2020, 1, 2), date(2020, 1, 3), date(2020, 1, 6), date(2020, 1, 7), date(2020, 1, 8)]
events = st.lists(
    st.tuples(
        st.sampled_from(DAYS[1:]),
        st.sampled_from(
            [
                (ActionKind.SPLIT, {"split_ratio": Decimal(2)}),
                (ActionKind.SPLIT, {"split_ratio": Decimal("0.1")}),
                (ActionKind.STOCK_DIVIDEND, {"share_ratio": Decimal("0.05")}),
                (ActionKind.CASH_DIVIDEND, {"amount_usd": Decimal("0.5")}),
                (ActionKind.SPIN_OFF, {"value_usd": Decimal(3), "share_ratio": Decimal(1), "new_symbol": "Y"}),
                (ActionKind.RENAME, {"new_symbol": "Z"}),
            ]
        ),
    ),
    max_size=6,
    unique_by=lambda event: (event[0], event[1][0]),
)


@given(events)
def test_a_share_that_only_had_actions_has_no_return_at_any_of_them(
    drawn: list[tuple[date, tuple[ActionKind, dict[str, Decimal]]]],
) -> None:
    """Prices made by the actions alone: what leaves a share is what it falls by, so the adjusted series is flat."""
    actions = [CorporateAction("X", day, kind, **terms) for day, (kind, terms) in drawn]
    closes, close = {}, 100.0
    for day in DAYS:
        due = [action for action in actions if action.ex_date == day]
        close *= float(np.prod([price_factor(action, close) for action in due]))
        closes[day] = close
    bars = frame(closes)
    assert (bars["close"] * point_in_time_factors(bars, actions)).tolist() == pytest.approx([100.0] * len(DAYS))


@given(events, st.integers(1, 4), st.lists(st.floats(20, 200), min_size=5, max_size=5))
def test_what_is_learnt_later_never_changes_an_earlier_return(
    drawn: list[tuple[date, tuple[ActionKind, dict[str, Decimal]]]], cut: int, closes: list[float]
) -> None:
    actions = [CorporateAction("X", day, kind, **terms) for day, (kind, terms) in drawn]
    bars = frame(dict(zip(DAYS, closes, strict=True)))
    as_of, later = (adjusted_as_of(bars, actions, day)["close"].to_numpy()[: cut + 1] for day in (DAYS[cut], DAYS[-1]))
    np.testing.assert_allclose(as_of[1:] / as_of[:-1], later[1:] / later[:-1], rtol=1e-12)
