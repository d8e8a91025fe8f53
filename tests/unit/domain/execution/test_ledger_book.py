from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.execution.corporate_actions import actions_on_book
from trading_assets.domain.execution.fifo import fifo
from trading_assets.domain.execution.ledger import (
    MARK_PRICE_DETAIL,
    Activity,
    ActivityKind,
    Book,
    Fill,
    Record,
    fold,
    replay_key,
)
from trading_assets.domain.execution.orders import (
    Order,
    OrderStatus,
    OrderType,
    TimeInForce,
    WorkingOrder,
)
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction, DelistingReason
from trading_assets.domain.values import ZERO, Side

SESSION = date(2026, 5, 1)
OPENS = datetime(2026, 5, 1, 13, 30, tzinfo=UTC)
D = Decimal
BUY, SELL = Side.BUY, Side.SELL


def fill(
    side: Side, qty: str, price: str, *, minute: int = 0, symbol: str = "IBM", strategy: str = "s", name: str = ""
) -> Fill:
    at = OPENS + timedelta(minutes=minute)
    name = name or f"{minute:06}{symbol}{strategy}{side}"
    return Fill(name, "o", "acc", strategy, symbol, side, D(qty), D(price), at, at, SESSION)


def activity(
    kind: ActivityKind, amount: str, *, settles_on: date = SESSION, minute: int = 0, **others: str
) -> Activity:
    at = OPENS + timedelta(minutes=minute)
    return Activity(f"{kind}{minute}", "acc", kind, at, settles_on, SESSION, amount_usd=D(amount), **others)  # type: ignore[arg-type]


def funded(*records: Record, cash: str = "100000") -> Book:
    return fold("acc", [activity(ActivityKind.DEPOSIT, cash, minute=-1), *records])


def split(ratio: str, symbol: str = "IBM") -> CorporateAction:
    return CorporateAction(symbol, SESSION, ActionKind.SPLIT, split_ratio=D(ratio))


def dividend(amount: str, pay_date: date | None = None) -> CorporateAction:
    return CorporateAction("IBM", SESSION, ActionKind.CASH_DIVIDEND, amount_usd=D(amount), pay_date=pay_date)


def identity_holds(book: Book) -> bool:
    results = book.flows + book.realised + book.unrealised + book.dividends - book.fees
    return book.equity == results == book.cash + book.receivables + book.positions_value


# -- positions ---------------------------------------------------------------------------------------


def test_position_sold_down_realises_against_average_cost() -> None:
    fills = [fill(BUY, "100", "10"), fill(BUY, "100", "12", minute=1), fill(SELL, "150", "13", minute=2)]
    position = funded(*fills).position("s", "IBM")
    assert (position.qty, position.avg_cost, position.realised_usd) == (50, 11, 300)
    assert position.unrealised(D(13)) == 100


def test_position_sold_down_realises_the_oldest_lots_first_in_the_fifo_view() -> None:
    fills = [fill(BUY, "100", "10"), fill(BUY, "100", "12", minute=1), fill(SELL, "150", "13", minute=2)]
    lots = fifo(reversed(fills))
    assert (lots.qty, lots.realised_usd, lots.unrealised(D(13))) == (50, 350, 50)
    assert [(lot.qty, lot.cost_usd) for lot in lots.lots] == [(50, 600)]


def test_position_sold_through_zero_closes_all_and_opens_the_rest_at_the_price() -> None:
    book = funded(fill(BUY, "100", "10"), fill(SELL, "150", "12", minute=1))
    position = book.position("s", "IBM")
    assert (position.qty, position.avg_cost, position.realised_usd) == (-50, 12, 200)
    assert identity_holds(book)


def test_position_short_covered_realises_the_fall_of_the_price() -> None:
    position = funded(fill(SELL, "100", "12"), fill(BUY, "40", "10", minute=1)).position("s", "IBM")
    assert (position.qty, position.avg_cost, position.realised_usd) == (-60, 12, 80)


def test_position_closed_whole_leaves_no_cost_behind() -> None:
    book = funded(fill(BUY, "3", "10.01"), fill(SELL, "1", "10.5", minute=1), fill(SELL, "2", "10.5", minute=2))
    position = book.position("s", "IBM")
    assert (position.qty, position.cost_usd, position.avg_cost) == (0, 0, 0)
    assert position.realised_usd == D("1.47")


# -- cash --------------------------------------------------------------------------------------------


def test_book_after_a_purchase_holds_less_cash_and_the_same_equity() -> None:
    book = funded(fill(BUY, "100", "10"))
    assert (book.cash, book.positions_value, book.equity) == (99_000, 1_000, 100_000)


def test_book_keeps_a_dividend_as_receivable_until_it_is_paid() -> None:
    pay_date = SESSION + timedelta(days=10)
    book = funded(activity(ActivityKind.DIVIDEND, "25", settles_on=pay_date, strategy="s", symbol="IBM"))
    assert (book.cash, book.receivables, book.dividends, book.equity) == (100_000, 25, 25, 100_025)
    book.settle(pay_date - timedelta(days=1))
    assert book.receivables == 25
    book.settle(pay_date)
    book.settle(pay_date)
    assert (book.cash, book.receivables, book.equity) == (100_025, 0, 100_025)


def test_book_counts_fees_as_paid() -> None:
    book = funded(activity(ActivityKind.FEE_SEC, "-1.03"), activity(ActivityKind.FEE_TAF, "-0.20"))
    assert (book.fees, book.cash) == (D("1.23"), D("99998.77"))
    assert identity_holds(book)


def test_book_marks_raise_the_high_water_mark_and_never_lower_it() -> None:
    book = funded(fill(BUY, "100", "10"))
    book.mark({"IBM": D(12)})
    assert (book.unrealised, book.high_water_mark) == (200, 100_200)
    book.mark({"IBM": D(9)})
    assert (book.equity, book.high_water_mark) == (99_900, 100_200)


def test_book_withdrawal_makes_no_drawdown() -> None:
    book = funded(fill(BUY, "1000", "10"))
    book.mark({"IBM": D(12)})
    book.mark({"IBM": D(10)})
    before = book.equity / book.high_water_mark
    book.apply_activity(activity(ActivityKind.WITHDRAWAL, "-50000", minute=1))
    assert book.flows == 50_000
    assert abs(book.equity / book.high_water_mark - before) < D("1e-9")


def test_book_quantity_of_a_symbol_is_the_sum_over_strategies() -> None:
    book = funded(fill(BUY, "100", "10"), fill(SELL, "30", "10", strategy="t"), fill(BUY, "5", "10", symbol="MSFT"))
    assert book.quantity_of("IBM") == 70
    assert book.value_of("t", "IBM") == -300
    assert book.value_of("nobody", "IBM") == 0


def test_share_activity_without_a_strategy_is_refused() -> None:
    with pytest.raises(ValueError, match="split0: a split needs a strategy and a symbol"):
        funded(activity(ActivityKind.SPLIT, "0"))


# -- corporate actions -------------------------------------------------------------------------------


def working(qty: int = 10, **changes: object) -> WorkingOrder:
    fields: dict[str, object] = {
        "client_order_id": "o1",
        "intent_id": "ab" * 32,
        "attempt": 1,
        "account_id": "acc",
        "strategy": "s",
        "strategy_version": "1",
        "symbol": "IBM",
        "side": BUY,
        "qty": D(qty),
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GTC,
        "submitted_at": OPENS - timedelta(days=1),
        "session_date": SESSION - timedelta(days=1),
        "limit_price": D(98),
    }
    order = WorkingOrder.approved(Order(**{**fields, **changes}))  # type: ignore[arg-type]
    for status in (OrderStatus.SUBMITTING, OrderStatus.ACKED):
        order.move(status, OPENS, SESSION)
    return order


def test_fv19_split_multiplies_a_working_order_and_divides_its_price() -> None:
    order = working()
    _, events = actions_on_book(funded(), [order], [split("4")], SESSION, OPENS, {})
    assert (order.qty, order.limit_price, order.status) == (40, D("24.50"), OrderStatus.ACKED)
    assert [(event.status, event.qty) for event in events] == [(OrderStatus.HELD, 10), (OrderStatus.ACKED, 40)]


def test_split_of_an_order_filled_in_part_splits_what_remains() -> None:
    order = working()
    order.filled_qty = D(4)
    order.move(OrderStatus.PARTIALLY_FILLED, OPENS, SESSION)
    actions_on_book(funded(), [order], [split("4")], SESSION, OPENS, {})
    assert (order.filled_qty, order.remaining) == (4, 24)


def test_reverse_split_that_leaves_no_whole_share_cancels_the_order() -> None:
    order, ended, other = working(3), working(3), working(3, symbol="MSFT")
    ended.move(OrderStatus.CANCELED, OPENS, SESSION)
    _, events = actions_on_book(funded(), [order, ended, other], [split("0.1")], SESSION, OPENS, {})
    assert [event.status for event in events] == [OrderStatus.CANCELED]
    assert (order.status, other.qty) == (OrderStatus.CANCELED, 3)


def test_split_keeps_the_cost_and_the_value_of_a_position() -> None:
    book = funded(fill(BUY, "100", "98"))
    activities, _ = actions_on_book(book, [], [split("4")], SESSION, OPENS, {"IBM": D("24.50")})
    position = book.position("s", "IBM")
    assert (position.qty, position.avg_cost, position.realised_usd) == (400, D("24.5"), 0)
    assert (book.equity, [entry.kind for entry in activities]) == (100_000, [ActivityKind.SPLIT])
    assert identity_holds(book)


def test_split_without_an_open_values_new_shares_at_the_old_mark() -> None:
    book = funded(fill(BUY, "100", "98"))
    actions_on_book(book, [], [split("4")], SESSION, OPENS, {})
    assert book.marks["IBM"] == D("24.5")


@pytest.mark.parametrize(("side", "cash"), [(BUY, "10"), (SELL, "-10")])
def test_split_pays_the_fractional_rest_in_cash_at_the_open(side: Side, cash: str) -> None:
    book = funded(fill(side, "101", "30"))
    activities, _ = actions_on_book(book, [], [split("1.5")], SESSION, OPENS, {"IBM": D(20)})
    split_record, in_lieu = activities
    assert abs(book.position("s", "IBM").qty) == 151
    assert (abs(split_record.qty_delta), abs(in_lieu.qty_delta), in_lieu.amount_usd) == (D("50.5"), D("0.5"), D(cash))
    assert identity_holds(book)


def test_split_values_two_strategies_of_one_symbol_once() -> None:
    book = funded(fill(BUY, "100", "98"), fill(BUY, "10", "98", strategy="t"))
    actions_on_book(book, [], [split("2")], SESSION, OPENS, {})
    assert (book.marks["IBM"], book.quantity_of("IBM"), book.equity) == (49, 220, 100_000)


def test_dividend_goes_to_holders_and_is_owed_by_shorts() -> None:
    pay_date = SESSION + timedelta(days=10)
    book = funded(fill(BUY, "100", "98"), fill(SELL, "10", "98", strategy="t"), fill(BUY, "7", "50", symbol="MSFT"))
    activities, _ = actions_on_book(book, [], [dividend("0.25", pay_date)], SESSION, OPENS, {})
    assert [(entry.strategy, entry.amount_usd) for entry in activities] == [("s", 25), ("t", D("-2.5"))]
    assert {entry.settles_on for entry in activities} == {pay_date}
    assert (book.receivables, book.dividends) == (D("22.5"), D("22.5"))


def test_dividend_without_a_pay_date_settles_on_its_ex_date() -> None:
    book = funded(fill(BUY, "100", "98"))
    actions_on_book(book, [], [dividend("0.25")], SESSION, OPENS, {})
    assert (book.cash, book.receivables) == (D("90225"), 0)


def test_dividend_on_the_day_of_a_split_is_paid_on_old_shares() -> None:
    book = funded(fill(BUY, "100", "98"))
    actions_on_book(book, [], [split("4"), dividend("1")], SESSION, OPENS, {"IBM": D("24.5")})
    assert (book.dividends, book.position("s", "IBM").qty) == (100, 400)


def test_action_of_another_session_or_of_nobody_does_nothing() -> None:
    book = funded(fill(BUY, "100", "98"))
    tomorrow = replace(split("4"), ex_date=SESSION + timedelta(days=1))
    assert actions_on_book(book, [], [tomorrow, split("4", "MSFT")], SESSION, OPENS, {}) == ([], [])


@pytest.mark.parametrize("kind", list(ActionKind))
def test_action_without_its_number_is_named(kind: ActionKind) -> None:
    with pytest.raises(ValueError, match=f"{kind} of IBM on 2026-05-01 has no"):
        actions_on_book(funded(), [], [CorporateAction("IBM", SESSION, kind)], SESSION, OPENS, {})


# -- shares that become others -----------------------------------------------------------------------


def action(kind: ActionKind, **terms: object) -> CorporateAction:
    return CorporateAction("IBM", SESSION, kind, **terms)  # type: ignore[arg-type]


def spin_off(**terms: object) -> CorporateAction:
    return action(ActionKind.SPIN_OFF, new_symbol="KD", share_ratio=D("0.2"), **terms)


def delisting(**terms: object) -> CorporateAction:
    return action(ActionKind.DELISTING, **({"reason": DelistingReason.MERGER} | terms))


def summary(book: Book, symbol: str) -> tuple[Decimal, Decimal, Decimal]:
    position = book.position("s", symbol)
    return position.qty, position.cost_usd, position.realised_usd


def test_stock_dividend_acts_like_a_split() -> None:
    book = funded(fill(BUY, "110", "100"))
    cash = book.cash
    more = action(ActionKind.STOCK_DIVIDEND, share_ratio=D("0.05"))
    made, _ = actions_on_book(book, [], [more], SESSION, OPENS, {"IBM": D("96")})
    assert [one.kind for one in made] == ["split", "cash_in_lieu"]
    assert book.position("s", "IBM").qty == 115
    assert book.cash - cash == D("48")


def test_reverse_split_by_three_leaves_no_rest_of_rounding() -> None:
    book = funded(fill(BUY, "300", "10"))
    third = CorporateAction("IBM", SESSION, ActionKind.SPLIT, split_ratio=D(1) / D(3))
    made, _ = actions_on_book(book, [], [third], SESSION, OPENS, {"IBM": D(30)})
    assert [(one.kind, one.qty_delta) for one in made] == [("split", -200)]


def test_rename_in_the_middle_of_a_position_carries_it_to_the_new_symbol() -> None:
    book = funded(fill(BUY, "10", "98"))
    equity = book.equity
    made, _ = actions_on_book(book, [], [action(ActionKind.RENAME, new_symbol="IBX")], SESSION, OPENS, {})
    assert summary(book, "IBM") == (0, 0, 0)
    assert summary(book, "IBX") == (10, 980, 0)
    assert (book.equity, sum(one.amount_usd for one in made)) == (equity, 0)
    book.apply_fill(fill(SELL, "10", "99", minute=600, symbol="IBX"))
    assert book.position("s", "IBX").realised_usd == 10


def test_spin_off_books_the_new_shares_at_their_part_of_the_cost() -> None:
    book = funded(fill(BUY, "100", "90"))
    book.mark({"IBM": D("100")})
    actions_on_book(book, [], [spin_off()], SESSION, OPENS, {"IBM": D("95"), "KD": D("25")})
    assert summary(book, "IBM") == (100, D("8550"), 0)
    assert summary(book, "KD") == (20, D("450"), 0)
    assert book.positions_value == 100 * 95 + 20 * 25


def test_fraction_of_a_distributed_share_becomes_cash() -> None:
    book = funded(fill(BUY, "101", "100"))
    equity = book.equity
    actions_on_book(book, [], [spin_off(value_usd=D(5))], SESSION, OPENS, {})
    assert book.position("s", "KD").qty == 20
    assert book.equity == equity


def test_spin_off_that_nobody_can_price_is_refused_and_only_for_holders() -> None:
    with pytest.raises(ValueError, match="no price of KD is known there: add it to `universe`"):
        actions_on_book(funded(fill(BUY, "1", "98")), [], [spin_off()], SESSION, OPENS, {"IBM": D("95")})
    assert actions_on_book(funded(), [], [spin_off()], SESSION, OPENS, {}) == ([], [])


def test_spin_off_worth_more_than_the_share_is_refused() -> None:
    with pytest.raises(ValueError, match=r"closed at 98 USD before it distributed 0\.2 KD"):
        actions_on_book(funded(fill(BUY, "1", "98")), [], [spin_off(value_usd=D(98))], SESSION, OPENS, {})


def test_delisting_for_cash_pays_it_on_the_pay_date() -> None:
    book = funded(fill(BUY, "10", "98"))
    cash = book.cash
    paid = delisting(amount_usd=D("99.5"), pay_date=SESSION + timedelta(days=3))
    actions_on_book(book, [], [paid], SESSION, OPENS, {})
    assert (book.quantity_of("IBM"), book.cash, book.receivables) == (0, cash, 995)
    assert book.position("s", "IBM").realised_usd == 15


def test_worthless_delisting_loses_the_cost() -> None:
    book = funded(fill(BUY, "10", "98"))
    actions_on_book(book, [], [delisting(reason=DelistingReason.WORTHLESS)], SESSION, OPENS, {})
    assert summary(book, "IBM") == (0, 0, -980)


def test_merger_for_shares_and_cash_keeps_the_cost_that_was_not_paid_back() -> None:
    book = funded(fill(BUY, "10", "98"))
    cash = book.cash
    terms = delisting(new_symbol="ACQ", share_ratio=D("0.75"), amount_usd=D(8))
    actions_on_book(book, [], [terms], SESSION, OPENS, {"ACQ": D(120)})
    assert summary(book, "IBM") == (0, 0, 0)
    position = book.position("s", "ACQ")
    assert position.qty == 7
    assert book.cash - cash == 80 + 60
    assert position.cost_usd - position.realised_usd == 980 - 140


def test_merger_for_shares_without_a_price_is_refused() -> None:
    terms = delisting(new_symbol="ACQ", share_ratio=D(1))
    with pytest.raises(ValueError, match="no price of ACQ is known there"):
        actions_on_book(funded(fill(BUY, "10", "98")), [], [terms], SESSION, OPENS, {})


@pytest.mark.parametrize("ends", [action(ActionKind.RENAME, new_symbol="IBX"), delisting(amount_usd=D(1))])
def test_working_orders_of_a_symbol_that_ends_are_cancelled(ends: CorporateAction) -> None:
    mine, other = working(symbol="IBM"), working(symbol="MSFT")
    _, events = actions_on_book(funded(), [mine, other], [ends], SESSION, OPENS, {})
    assert [(event.client_order_id, event.status) for event in events] == [
        (mine.order.client_order_id, OrderStatus.CANCELED)
    ]


def test_two_spin_offs_of_one_day_a_split_and_a_rename_are_booked_together_and_replay_to_the_same_book() -> None:
    """A unit comes apart: shares of a new name, and two kinds of warrants."""
    records: list[Record] = [fill(BUY, "100", "90", minute=-60)]
    book = funded(*records)
    due = [
        spin_off(value_usd=D(5)),
        replace(spin_off(value_usd=D(10)), new_symbol="WT"),
        split("1.5"),
        action(ActionKind.RENAME, new_symbol="IBX"),
    ]
    made, _ = actions_on_book(book, [], due, SESSION, OPENS, {})
    assert len({one.activity_id for one in made}) == len(made)
    assert {symbol: p.qty for (_, symbol), p in book.positions.items()} == {"IBM": 0, "IBX": 150, "KD": 20, "WT": 20}
    assert sum(p.cost_usd for p in book.positions.values()) == 9000
    again = fold("acc", [*records, *made])
    assert again.positions == book.positions


# -- properties --------------------------------------------------------------------------------------

quantities = st.decimals(min_value="0.000000001", max_value=5_000, places=9).map(str) | st.integers(1, 5_000).map(str)
prices = st.decimals(min_value="0.0001", max_value=2_000, places=4).map(str)
trades = st.tuples(st.just("fill"), st.sampled_from(list(Side)), quantities, prices)
splits = st.tuples(st.just("split"), st.sampled_from(["2", "4", "0.1", "1.5", "0.333333333", "7"]), st.none() | prices)
dividends = st.tuples(st.just("dividend"), prices, st.integers(0, 20))
others = st.tuples(st.just("cash"), st.sampled_from(["fee_sec", "deposit", "withdrawal"]), prices)
owners = st.tuples(st.sampled_from(["s", "t"]), st.sampled_from(["IBM", "MSFT"]))
histories = st.lists(st.tuples(owners, trades | trades | splits | dividends | others), max_size=25)


def live(history: list[tuple[tuple[str, str], tuple[object, ...]]]) -> tuple[Book, list[Record]]:
    """Run a history step by step, checking the identity after each, and return the book and its records."""
    book = Book("acc")
    records: list[Record] = []
    for minute, ((strategy, symbol), step) in enumerate(history):
        at, name = OPENS + timedelta(minutes=minute), f"{minute:06}"
        match step:
            case ("fill", side, qty, price):
                made = fill(side, qty, price, minute=minute, symbol=symbol, strategy=strategy)  # type: ignore[arg-type]
                book.apply_fill(made)
                records.append(made)
            case ("split", ratio, price):
                opens = {} if price is None else {symbol: D(str(price))}
                made_here, _ = actions_on_book(book, [], [split(str(ratio), symbol)], SESSION, at, opens)
                records += made_here
            case ("dividend", amount, days):
                action = replace(dividend(str(amount), SESSION + timedelta(days=int(str(days)))), symbol=symbol)
                made_here, _ = actions_on_book(book, [], [action], SESSION, at, {})
                records += made_here
            case ("cash", kind, amount):
                signed = str(amount) if kind == "deposit" else f"-{amount}"
                record = replace(activity(ActivityKind(str(kind)), signed, minute=minute), activity_id=name)
                book.apply_activity(record)
                records.append(record)
        assert identity_holds(book)
    return book, records


@given(histories)
def test_book_identity_holds_to_the_last_digit_after_every_record(
    history: list[tuple[tuple[str, str], tuple[object, ...]]],
) -> None:
    book, _ = live(history)
    book.mark({"IBM": D("123.4567"), "MSFT": D("0.0001")})
    assert identity_holds(book)
    book.settle(SESSION + timedelta(days=10))
    book.settle(date.max)
    assert identity_holds(book)
    assert book.receivables == 0


@given(histories, st.randoms(use_true_random=False))
def test_book_folded_from_shuffled_records_is_the_book_that_made_them(
    history: list[tuple[tuple[str, str], tuple[object, ...]]], shuffler: object
) -> None:
    book, records = live(history)
    shuffled = list(records)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    again = fold("acc", shuffled)
    for name in ("cash", "receivables", "marks", "dividends", "fees", "flows", "equity"):
        assert getattr(again, name) == getattr(book, name), name
    assert sorted(again.pending) == sorted(book.pending)
    held = {key: position for key, position in book.positions.items() if position.qty or position.realised_usd}
    assert {key: again.positions[key] for key in held} == held


@given(histories)
def test_fifo_and_average_cost_agree_on_the_sum_of_realised_and_unrealised(
    history: list[tuple[tuple[str, str], tuple[object, ...]]],
) -> None:
    book, records = live(history)
    mark = D("77.7777")
    for (strategy, symbol), position in book.positions.items():
        lots = fifo(record for record in records if (record.strategy, record.symbol) == (strategy, symbol))
        assert lots.qty == position.qty
        assert lots.realised_usd + lots.unrealised(mark) == position.realised_usd + position.unrealised(mark)


def test_replay_key_puts_actions_of_the_open_first_and_fees_last() -> None:
    fees = activity(ActivityKind.FEE_SEC, "-1")
    shares = replace(activity(ActivityKind.SPLIT, "0"), detail={MARK_PRICE_DETAIL: "1"})
    paid = activity(ActivityKind.DIVIDEND, "1")
    traded = fill(BUY, "1", "1")
    assert sorted([fees, traded, shares, paid], key=replay_key) == [paid, shares, traded, fees]


becoming = st.sampled_from(
    [
        action(ActionKind.RENAME, new_symbol="NEW"),
        action(ActionKind.SPIN_OFF, new_symbol="NEW", share_ratio=D("0.37"), value_usd=D("0.01")),
        action(ActionKind.STOCK_DIVIDEND, share_ratio=D("0.05")),
        split("0.333333333"),
        delisting(new_symbol="NEW", share_ratio=D("0.75")),
        delisting(new_symbol="NEW", share_ratio=D("1.5"), amount_usd=D("0.02")),
        delisting(amount_usd=D("12.34")),
    ]
)


@given(
    st.lists(st.tuples(st.sampled_from("st"), st.sampled_from(list(Side)), st.integers(1, 5_000)), min_size=1),
    st.decimals("0.05", "500", places=4),
    becoming,
)
def test_whatever_shares_become_nothing_is_gained_or_lost_but_what_was_paid(
    trades_made: list[tuple[str, Side, int]], price: Decimal, due: CorporateAction
) -> None:
    records: list[Record] = [
        fill(side, str(qty), str(price), minute=number - 1_000, strategy=strategy)
        for number, (strategy, side, qty) in enumerate(trades_made)
    ]
    book = funded(*records)
    cost, qty = sum(p.cost_usd for p in book.positions.values()), book.quantity_of("IBM")
    ratio = due.share_ratio or D(1)
    cash_part = due.amount_usd or ZERO
    opens = {"NEW": (price - cash_part) / ratio} if due.kind is ActionKind.DELISTING and due.new_symbol else {}
    if any(value <= 0 for value in opens.values()):
        return
    before, traded = book.equity, book.cash + book.receivables
    made, _ = actions_on_book(book, [], [due], SESSION, OPENS, opens)
    assert identity_holds(book)
    paid = book.cash + book.receivables - traded
    assert sum(p.cost_usd for p in book.positions.values()) - book.realised + realised_before(records) == cost - paid
    if due.kind is not ActionKind.DELISTING or due.new_symbol:
        # A hundred-millionth of a share and the last digit of money are what rounding may cost.
        assert abs(book.equity - before) <= D("0.0001") + abs(qty) * price * D("0.00000001")
    again = fold("acc", [activity(ActivityKind.DEPOSIT, "100000", minute=-2_000), *records, *made])
    assert again.positions == book.positions


def realised_before(records: list[Record]) -> Decimal:
    return funded(*records).realised


def test_closed_trades_are_returns_on_what_was_entered() -> None:
    book = funded(
        fill(BUY, "10", "100", minute=1),
        fill(BUY, "10", "110", minute=2),
        fill(SELL, "5", "120", minute=3),
        fill(SELL, "15", "110", minute=4),
        fill(BUY, "10", "100", minute=5),
        # Through zero: the long trade ends, a short one of ten begins.
        fill(SELL, "20", "90", minute=6),
        fill(BUY, "10", "81", minute=7),
        fill(BUY, "1", "80", minute=8),
    )
    ((trades,),) = [book.closed_trades.values()]
    assert trades == [round(D(150) / 2_100, 9), D("-0.1"), D("0.1")]
