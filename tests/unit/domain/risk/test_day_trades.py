"""Which trades are day trades."""

from decimal import Decimal

import pytest

from trading_assets.domain.risk.day_trades import DayTradeRecord, Trade, count_day_trades
from trading_assets.domain.values import Side

HELD = {"IBM": Decimal(100)}


def trades(*quantities: int, symbol: str = "IBM") -> list[Trade]:
    """Positive quantities are bought, negative ones sold."""
    return [Trade(symbol, Side.BUY if qty > 0 else Side.SELL, Decimal(abs(qty))) for qty in quantities]


@pytest.mark.parametrize(
    ("held", "quantities", "count"),
    [
        ({}, [10, -10], 1),
        ({}, [-10, 10], 1),
        ({}, [10, 10], 0),
        ({}, [10, 10, -20], 1),
        ({}, [10, -5, -5], 1),
        ({}, [10, -10, 10, -10], 2),
        # What was held before is sold first; what is bought after it and sold again is one.
        (HELD, [-100], 0),
        (HELD, [-100, 50], 0),
        (HELD, [-100, 50, -50], 1),
        (HELD, [50, -50], 1),
        (HELD, [-50, -50], 0),
        # Through zero: the short that is left was opened today.
        (HELD, [-150, 50], 1),
        ({}, [10, -20, 10], 2),
    ],
)
def test_day_trades_of_a_session(held: dict[str, Decimal], quantities: list[int], count: int) -> None:
    assert count_day_trades(held, trades(*quantities)) == count


def test_symbols_are_counted_by_themselves() -> None:
    assert count_day_trades({}, trades(10) + trades(-10, symbol="MSFT")) == 0


def test_record_goes_on_counting_after_what_it_holds() -> None:
    counted = DayTradeRecord(2, {}, trades(10)).counted()

    assert counted.would_be_one("IBM", Side.SELL)
    assert not counted.would_be_one("IBM", Side.BUY)
    counted.add(*trades(-10))
    assert counted.count == 3
    assert not counted.would_be_one("IBM", Side.SELL)
