"""What is counted of the orders of a session."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.risk.activity import MINUTE, SECOND, Activity, OpenOrder, SentOrder, bucket_level
from trading_assets.domain.values import Side

NOON = datetime(2024, 6, 3, 16, tzinfo=UTC)
BUY, SELL = Side.BUY, Side.SELL


def sent(
    side: Side = BUY, qty: int = 100, after_s: float = 0, symbol: str = "IBM", strategy: str = "alpha"
) -> SentOrder:
    at = NOON + timedelta(seconds=after_s)
    return SentOrder(f"{symbol}{side}{after_s}", strategy, symbol, side, Decimal(qty), Decimal(50 * qty), at)


@pytest.mark.parametrize(
    ("ages_s", "level"),
    [
        ([], 0),
        ([0], 1_000_000),
        ([0, 0], 2_000_000),
        ([1], 500_000),
        ([2], 0),
        ([2, 1], 1_000_000),
        ([1, 0], 1_500_000),
        # What has run out is gone: the bucket does not owe anything.
        ([100, 0], 1_000_000),
        ([1.9999995], 1),
    ],
)
def test_bucket_of_one_order_in_two_seconds_empties_at_its_rate(ages_s: list[float], level: int) -> None:
    times = [NOON - timedelta(seconds=age) for age in ages_s]

    assert bucket_level(times, 30, timedelta(seconds=60), NOON) == level


@given(st.lists(st.integers(0, 120_000_000), max_size=40), st.integers(1, 60))
def test_bucket_never_holds_more_than_came_and_never_empties_faster_than_its_rate(ages: list[int], brim: int) -> None:
    times = [NOON - timedelta(microseconds=age) for age in ages]
    level = bucket_level(times, brim, MINUTE, NOON)

    assert 0 <= level <= len(times) * 1_000_000
    for age in set(ages):
        came = sum(other <= age for other in ages) * 1_000_000
        assert level >= came - age * brim / 60


def test_buckets_of_symbol_strategy_and_account_are_filled_by_their_own_orders() -> None:
    activity = Activity([sent(), sent(symbol="MSFT"), sent(strategy="beta")], [])

    assert activity.bucket(1, SECOND, NOON, symbol="IBM") == 2_000_000
    assert activity.bucket(30, MINUTE, NOON, strategy="alpha") == 2_000_000
    assert activity.bucket(100, MINUTE, NOON) == 3_000_000


def test_twin_is_the_same_order_of_the_same_strategy_decided_earlier() -> None:
    activity = Activity(
        [sent(after_s=1), sent(qty=99, after_s=2), sent(SELL, after_s=3), sent(strategy="beta", after_s=4)], []
    )

    def twin_of(order: SentOrder) -> datetime | None:
        return activity.last_twin(order.strategy, order.symbol, order.side, order.qty, order.at)

    assert twin_of(sent(after_s=5)) == NOON + timedelta(seconds=1)
    assert twin_of(sent(after_s=1)) is None
    assert twin_of(sent(qty=98, after_s=5)) is None


@pytest.mark.parametrize(
    ("side", "limit", "other", "opposing"),
    [
        (BUY, None, OpenOrder("IBM", SELL), 1),
        (BUY, None, OpenOrder("IBM", BUY), 0),
        (BUY, None, OpenOrder("MSFT", SELL), 0),
        (BUY, "10.00", OpenOrder("IBM", SELL), 1),
        (BUY, None, OpenOrder("IBM", SELL, Decimal("10.00")), 1),
        (BUY, "10.00", OpenOrder("IBM", SELL, Decimal("10.00")), 1),
        (BUY, "9.99", OpenOrder("IBM", SELL, Decimal("10.00")), 0),
        (SELL, "10.00", OpenOrder("IBM", BUY, Decimal("10.00")), 1),
        (SELL, "10.01", OpenOrder("IBM", BUY, Decimal("10.00")), 0),
        (BUY, None, OpenOrder("IBM", SELL, has_legs=True), 0),
    ],
)
def test_opposing_orders_are_those_that_could_trade_with_it(
    side: Side, limit: str | None, other: OpenOrder, opposing: int
) -> None:
    activity = Activity([], [other])

    assert activity.opposing("IBM", side, limit and Decimal(limit)) == opposing
    assert activity.opposing("IBM", side, limit and Decimal(limit), has_legs=True) == 0


def test_orders_that_are_added_count_as_sent_and_open() -> None:
    activity = Activity([sent(BUY)], [OpenOrder("IBM", BUY, is_unresolved=True), OpenOrder("MSFT", BUY)])

    activity.add(sent(SELL, after_s=1))

    assert (activity.orders, activity.turnover_usd) == (2, 10_000)
    assert (activity.open_orders("IBM"), activity.open_orders()) == (2, 3)
    assert (activity.unresolved("IBM"), activity.unresolved("MSFT")) == (1, 0)


def test_reversals_are_changes_of_side_in_one_symbol() -> None:
    activity = Activity([sent(BUY), sent(BUY), sent(SELL), sent(BUY), sent(SELL, symbol="MSFT")], [])

    assert (activity.reversals("IBM"), activity.reversals("MSFT"), activity.reversals("AAPL")) == (2, 0, 0)
    assert activity.is_reversal("IBM", SELL)
    assert not activity.is_reversal("IBM", BUY)
    assert not activity.is_reversal("AAPL", SELL)
