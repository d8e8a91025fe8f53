"""Law by date: golden cases on both sides of each day on which a table changes."""

from datetime import date
from decimal import Decimal

import pytest

from trading_assets.domain.execution.settlement import SETTLEMENT_CYCLES, settles_on
from trading_assets.domain.market.tick_sizes import TICK_SIZES, tick_size
from trading_assets.domain.risk.margin_rules import DAY_TRADING_RULES, day_trading_rule, maintenance_per_share
from trading_assets.domain.values import Side


@pytest.mark.parametrize("table", [TICK_SIZES, SETTLEMENT_CYCLES, DAY_TRADING_RULES])
def test_table_is_in_order_and_says_where_each_row_comes_from(table) -> None:
    days = [row.effective for row in table]

    assert days == sorted(set(days))
    assert all(row.source for row in table)


@pytest.mark.parametrize(
    ("day", "from_one", "below_one"),
    [
        (date(2001, 4, 8), "0.0625", "0.0625"),
        (date(2001, 4, 9), "0.01", "0.01"),
        (date(2006, 1, 30), "0.01", "0.01"),
        (date(2006, 1, 31), "0.01", "0.0001"),
        (date(2027, 1, 4), "0.01", "0.0001"),
    ],
)
def test_tick_size_changes_on_its_day(day: date, from_one: str, below_one: str) -> None:
    row = tick_size(day)

    assert (row.from_one_usd, row.below_one_usd) == (Decimal(from_one), Decimal(below_one))


@pytest.mark.parametrize(
    ("trade_date", "settled"),
    [
        # T+3, the first of them over Labor Day.
        (date(2017, 9, 1), date(2017, 9, 7)),
        (date(2017, 9, 5), date(2017, 9, 7)),
        # T+2 over a weekend and Memorial Day; on the next session a trade settles the day after.
        (date(2024, 5, 24), date(2024, 5, 29)),
        (date(2024, 5, 28), date(2024, 5, 29)),
        (date(2024, 5, 31), date(2024, 6, 3)),
    ],
)
def test_trades_of_both_sides_of_a_shorter_cycle_settle_when_they_did(trade_date: date, settled: date) -> None:
    assert settles_on(trade_date) == settled


@pytest.mark.parametrize(
    ("day", "max_day_trades", "min_equity_usd"),
    [
        (date(2001, 9, 27), None, 0),
        (date(2001, 9, 28), 3, 25_000),
        (date(2026, 6, 3), 3, 25_000),
        (date(2026, 6, 4), None, 0),
    ],
)
def test_pattern_day_trader_counts_between_its_days(day: date, max_day_trades: int, min_equity_usd: int) -> None:
    row = day_trading_rule(day)

    assert (row.max_day_trades, row.min_equity_usd) == (max_day_trades, min_equity_usd)


@pytest.mark.parametrize("ask", [tick_size, day_trading_rule])
def test_table_asked_before_its_first_row_guesses_nothing(ask) -> None:
    with pytest.raises(ValueError, match="is known for 1999-12-31"):
        ask(date(1999, 12, 31))


def test_settlement_asked_before_its_first_row_guesses_nothing() -> None:
    with pytest.raises(ValueError, match="1995-06-06"):
        settles_on(date(1995, 6, 6))


@pytest.mark.parametrize(
    ("price", "bought", "sold_short"),
    [
        # A quarter of the price when bought; short three tenths, at least 5 USD, and below 5 USD at least 2.50.
        ("50", "12.5", "15"),
        ("16.67", "4.1675", "5.001"),
        ("16.66", "4.165", "5"),
        ("5", "1.25", "5"),
        ("4.999999", "1.25", "4.999999"),
        ("2.51", "0.6275", "2.51"),
        ("2.5", "0.625", "2.5"),
        ("1", "0.25", "2.5"),
    ],
)
def test_maintenance_margin_of_a_share_on_both_sides_of_its_steps(price: str, bought: str, sold_short: str) -> None:
    micros = int(Decimal(price) * 1_000_000)

    assert maintenance_per_share(micros, Side.BUY) == int(Decimal(bought) * 1_000_000)
    assert maintenance_per_share(micros, Side.SELL) == int(Decimal(sold_short) * 1_000_000)
