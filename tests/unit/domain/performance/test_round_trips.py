"""Round trips: hand-made trades, and money that adds up to the cent for arbitrary ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.execution.ledger import Activity, ActivityKind, Book, Fill
from trading_assets.domain.performance.round_trips import round_trips, shared_fees, trade_statistics
from trading_assets.domain.values import Side

START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


def fill(day: int, qty: str, price: str, number: int = 1) -> Fill:
    signed = Decimal(qty)
    at = START + timedelta(days=day)
    return Fill(
        execution_id=f"e{day:05}-{number}", client_order_id="o", account_id="a", strategy="s", symbol="X",
        side=Side.BUY if signed > 0 else Side.SELL, qty=abs(signed), price=Decimal(price), filled_at=at,
        booked_at=at + timedelta(hours=6), session_date=at.date(),
    )  # fmt: skip


def activity(day: int, kind: ActivityKind, hours: int = 0, **facts: object) -> Activity:
    at = START + timedelta(days=day, hours=hours)
    return Activity(
        activity_id=f"{kind}{day}", account_id="a", kind=kind, at=at, settles_on=at.date(), session_date=at.date(),
        **{"strategy": "s", "symbol": "X", **facts},
    )  # fmt: skip


def test_sale_through_zero_closes_one_trip_and_opens_a_short() -> None:
    long, short = round_trips([fill(0, "100", "10"), fill(1, "-150", "12")])
    assert (long.is_long, long.is_open, long.gross_pnl_usd, long.exit_qty) == (True, False, Decimal(200), 100)
    assert (short.is_long, short.is_open, short.entry_qty, short.entry_price) == (False, True, 50, 12)
    assert long.closed_at == short.opened_at == START + timedelta(days=1)


def test_split_changes_shares_and_no_profit() -> None:
    split = activity(1, ActivityKind.SPLIT, qty_delta=Decimal(100), detail={"mark_price": "6"})
    (trip,) = round_trips([fill(0, "100", "10"), split, fill(2, "-200", "6")])
    assert (trip.is_open, trip.gross_pnl_usd, trip.entry_qty, trip.fill_count) == (False, Decimal(200), 100, 2)


def test_cash_in_lieu_is_a_sale_of_the_fraction() -> None:
    lieu = activity(1, ActivityKind.CASH_IN_LIEU, qty_delta=Decimal("-0.5"), amount_usd=Decimal(6))
    (trip,) = round_trips([fill(0, "10.5", "10"), lieu, fill(2, "-10", "11")])
    assert not trip.is_open
    assert trip.gross_pnl_usd == Decimal("110") + 6 - 105


def test_dividend_belongs_to_the_trade_held_before_the_ex_date() -> None:
    dividend = activity(1, ActivityKind.DIVIDEND, amount_usd=Decimal(5))
    before, after = round_trips([fill(0, "10", "10"), fill(1, "-10", "11"), fill(2, "10", "11"), dividend])
    assert (before.dividends_usd, after.dividends_usd) == (5, 0)
    assert before.net_pnl_usd == 15


def test_dividend_on_the_day_of_the_purchase_is_not_the_buyers() -> None:
    (trip,) = round_trips([fill(1, "10", "10"), activity(1, ActivityKind.DIVIDEND, amount_usd=Decimal(5))])
    assert trip.dividends_usd == 0


def test_fee_is_shared_by_value_and_adds_up_exactly() -> None:
    fee = activity(0, ActivityKind.FEE_SEC, hours=7, strategy=None, symbol=None, amount_usd=Decimal("-0.01"))
    shares = shared_fees(
        [fill(0, "-1", "10", 1), fill(0, "-2", "5", 2), fill(0, "-10", "1", 3), fill(0, "9", "9", 4), fee]
    )
    assert shares == {"e00000-1": Decimal("0.003333"), "e00000-2": Decimal("0.003334"), "e00000-3": Decimal("0.003333")}


def test_open_trade_is_listed_apart_and_never_counted_as_a_win() -> None:
    trips = round_trips([fill(0, "10", "10"), fill(1, "-10", "9"), fill(2, "10", "9"), fill(3, "-5", "90")])
    statistics = trade_statistics(trips)
    assert (statistics.closed, statistics.open, statistics.win_rate) == (1, 1, 0.0)
    assert (statistics.profit_factor, statistics.payoff, statistics.expectancy_usd) == (0.0, None, -10.0)


def test_statistics_of_wins_and_losses() -> None:
    results = [3, 1, -2, 5, -4, -1, 0]
    fills = [f for n, x in enumerate(results) for f in (fill(2 * n, "1", "10"), fill(2 * n + 1, "-1", str(10 + x)))]
    statistics = trade_statistics(round_trips(fills))
    assert statistics.win_rate == 3 / 7
    assert statistics.profit_factor == 9 / 7
    assert statistics.payoff == 3 / (7 / 3)
    assert (statistics.longest_win_streak, statistics.longest_loss_streak) == (2, 2)


def test_statistics_of_nothing_have_no_values() -> None:
    statistics = trade_statistics([])
    assert (statistics.win_rate, statistics.profit_factor, statistics.expectancy_usd) == (None, None, None)


quantities = st.integers(-500, 500).filter(bool)
prices = st.integers(100, 99_999).map(lambda cents: Decimal(cents) / 100)


@given(trades=st.lists(st.tuples(quantities, prices), min_size=1, max_size=40), mark=prices)
def test_trips_and_what_is_open_add_up_to_the_books_profit(trades: list[tuple[int, Decimal]], mark: Decimal) -> None:
    fills = [fill(day, str(qty), str(price)) for day, (qty, price) in enumerate(trades)]
    book = Book("a")
    for each in fills:
        book.apply_fill(each)
    book.mark({"X": mark})
    trips = round_trips(fills)
    assert sum(t.gross_pnl_usd for t in trips) + book.positions_value == book.realised + book.unrealised
    assert [t.is_open for t in trips[:-1]] == [False] * (len(trips) - 1)
    assert sum(t.open_qty for t in trips) == book.quantity_of("X")
