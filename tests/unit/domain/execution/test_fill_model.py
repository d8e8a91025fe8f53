"""The vectors FV-1 to FV-20 of the fill model, by id. Bar: O 100, H 103, L 98, C 101, volume 100,000."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.execution.corporate_actions import actions_on_book
from trading_assets.domain.execution.fill_model import Auctions, Execution, FillModel
from trading_assets.domain.execution.ledger import Book, Fill
from trading_assets.domain.execution.matching import BarWork, fills_of_bar, work_bar
from trading_assets.domain.execution.orders import (
    AUCTION_TIMES,
    Order,
    OrderClass,
    OrderEvent,
    OrderStatus,
    OrderType,
    TimeInForce,
    TrailMark,
    WorkingOrder,
)
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.values import Side

OPENS = datetime(2026, 5, 1, 13, 30, tzinfo=UTC)
CLOSES = datetime(2026, 5, 1, 20, tzinfo=UTC)
BAR = Bar(
    "IBM", OPENS, CLOSES, date(2026, 5, 1), Decimal(100), Decimal(103), Decimal(98), Decimal(101), Decimal(100_000)
)
NEXT = replace(BAR, ts=OPENS + timedelta(days=3), closes_at=CLOSES + timedelta(days=3), session_date=date(2026, 5, 4))
MODEL = FillModel(slippage_bps=Decimal(0), volume_limit=Decimal("0.025"))
SLIPPING = FillModel(slippage_bps=Decimal(20), volume_limit=Decimal("0.025"))
BUY, SELL = Side.BUY, Side.SELL
NOTHING = BarWork([], [], [])
WHOLE_SESSION = Auctions(has_opening=True, has_closing=True)


def working(
    side: Side,
    qty: int = 100,
    *,
    limit: str | None = None,
    stop: str | None = None,
    tif: TimeInForce = TimeInForce.DAY,
    name: str = "o1",
    submitted_at: datetime = OPENS - timedelta(hours=17),
    trail_usd: str | None = None,
    trail_pct: str | None = None,
    group: str | None = None,
) -> WorkingOrder:
    kind = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }[limit is not None, stop is not None]
    if trail_usd or trail_pct:
        kind = OrderType.TRAILING_STOP
    order = Order(
        client_order_id=name,
        intent_id="ab" * 32,
        attempt=1,
        account_id="acc",
        strategy="s",
        strategy_version="1",
        symbol="IBM",
        side=side,
        qty=Decimal(qty),
        order_type=kind,
        time_in_force=tif,
        submitted_at=submitted_at,
        session_date=date(2026, 4, 30),
        limit_price=None if limit is None else Decimal(limit),
        stop_price=None if stop is None else Decimal(stop),
        trail_usd=None if trail_usd is None else Decimal(trail_usd),
        trail_pct=None if trail_pct is None else Decimal(trail_pct),
        order_class=OrderClass.OCO if group else OrderClass.SIMPLE,
        group_id=group,
    )
    result = WorkingOrder.approved(order)
    result.move(OrderStatus.SUBMITTING, submitted_at, order.session_date)
    result.move(OrderStatus.ACKED, submitted_at, order.session_date)
    return result


def traded(fills: list[Fill]) -> list[tuple[Decimal, Decimal]]:
    return [(fill.qty, fill.price) for fill in fills]


def statuses(events: list[OrderEvent]) -> list[OrderStatus]:
    return [event.status for event in events]


def at(qty: int, price: str) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(qty), Decimal(price))]


def test_fv1_market_order_fills_at_the_open_whatever_the_close() -> None:
    for close in ("101", "50"):
        fills, events, _ = work_bar([working(BUY)], replace(BAR, close=Decimal(close)), MODEL)
        assert traded(fills) == at(100, "100")
        assert (fills[0].filled_at, fills[0].booked_at) == (OPENS, CLOSES)
        assert statuses(events) == [OrderStatus.FILLED]


def test_fv2_market_order_beyond_the_volume_limit_fills_in_part_and_the_rest_waits() -> None:
    order = working(BUY, 10_000)
    fills, events, _ = work_bar([order], BAR, MODEL)
    assert traded(fills) == at(2_500, "100")
    assert statuses(events) == [OrderStatus.PARTIALLY_FILLED]
    assert order.remaining == 7_500
    assert traded(work_bar([order], NEXT, MODEL)[0]) == at(2_500, "100")


def test_fv3_limit_touched_is_not_filled() -> None:
    order = working(BUY, limit="98.00")
    assert work_bar([order], BAR, MODEL) == NOTHING
    assert order.status is OrderStatus.ACKED


def test_fv4_limit_traded_through_fills_at_the_limit_at_the_end_of_the_bar() -> None:
    fills, _, _ = work_bar([working(BUY, limit="98.01")], BAR, SLIPPING)
    assert traded(fills) == at(100, "98.01")
    assert fills[0].filled_at == CLOSES


def test_fv5_limit_above_the_open_fills_at_the_open() -> None:
    fills, _, _ = work_bar([working(BUY, limit="101")], BAR, SLIPPING)
    assert traded(fills) == at(100, "100")
    assert fills[0].filled_at == OPENS


def test_fv6_sell_limit_fills_only_below_the_high() -> None:
    assert work_bar([working(SELL, limit="103.00")], BAR, MODEL)[0] == []
    assert traded(work_bar([working(SELL, limit="102.99")], BAR, MODEL)[0]) == at(100, "102.99")


def test_fv7_sell_stop_inside_the_bar_fills_at_the_stop() -> None:
    assert traded(work_bar([working(SELL, stop="99")], BAR, MODEL)[0]) == at(100, "99")
    assert traded(work_bar([working(SELL, stop="99")], BAR, SLIPPING)[0]) == at(100, "98.802")


def test_fv8_sell_stop_that_opens_below_fills_at_the_open() -> None:
    assert traded(work_bar([working(SELL, stop="100.50")], BAR, MODEL)[0]) == at(100, "100")
    assert traded(work_bar([working(SELL, stop="100.50")], BAR, SLIPPING)[0]) == at(100, "99.8")


def test_fv9_buy_stop_inside_the_bar_fills_at_the_stop() -> None:
    assert traded(work_bar([working(BUY, stop="102")], BAR, MODEL)[0]) == at(100, "102")
    assert traded(work_bar([working(BUY, stop="102")], BAR, SLIPPING)[0]) == at(100, "102.204")


def test_fv10_buy_stop_that_opens_above_fills_at_the_open() -> None:
    assert traded(work_bar([working(BUY, stop="99")], BAR, MODEL)[0]) == at(100, "100")
    assert traded(work_bar([working(BUY, stop="99")], BAR, SLIPPING)[0]) == at(100, "100.2")


def test_fv11_stop_limit_triggered_in_the_bar_fills_at_the_stop_if_the_limit_allows() -> None:
    assert traded(work_bar([working(SELL, stop="99", limit="98.50")], BAR, MODEL)[0]) == at(100, "99")
    assert traded(work_bar([working(SELL, stop="99", limit="98.50")], BAR, SLIPPING)[0]) == at(100, "98.802")


def test_fv11_stop_limit_whose_slipped_price_is_beyond_the_limit_rests_as_a_limit() -> None:
    order = working(SELL, stop="99", limit="98.90", tif=TimeInForce.GTC)
    fills, events, _ = work_bar([order], BAR, SLIPPING)
    assert fills == []
    assert order.is_triggered
    assert statuses(events) == [OrderStatus.HELD, OrderStatus.ACKED]
    assert traded(work_bar([order], NEXT, SLIPPING)[0]) == at(100, "100")


def test_fv11_stop_limit_gapped_below_its_limit_triggers_and_rests_without_a_fill_in_that_bar() -> None:
    order = working(SELL, stop="99", limit="98.50", tif=TimeInForce.GTC)
    gapped = replace(BAR, open=Decimal("98.20"))
    fills, _, _ = work_bar([order], gapped, MODEL)
    assert fills == []
    assert order.is_triggered
    rests = replace(NEXT, open=Decimal("98.20"), high=Decimal("98.60"))
    assert traded(work_bar([order], rests, MODEL)[0]) == at(100, "98.50")


def test_fv11_stop_limit_gapped_between_stop_and_limit_fills_at_the_open() -> None:
    fills, _, _ = work_bar([working(SELL, stop="99", limit="98.50")], replace(BAR, open=Decimal("98.70")), MODEL)
    assert traded(fills) == at(100, "98.70")


def test_fv12_stop_and_target_in_one_bar_stop_first_and_target_cancelled() -> None:
    target = working(SELL, limit="102.50", name="a-target", group="exit")
    stop = working(SELL, stop="98.50", name="b-stop", group="exit")
    fills, events, _ = work_bar([target, stop], BAR, MODEL)
    assert traded(fills) == at(100, "98.50")
    assert [(event.client_order_id, event.status) for event in events] == [
        ("b-stop", OrderStatus.FILLED),
        ("a-target", OrderStatus.CANCELED),
    ]


def test_fv12_target_reached_by_the_open_comes_before_a_stop_inside_the_bar() -> None:
    target = working(SELL, limit="99.50", name="a-target", group="exit")
    stop = working(SELL, stop="98.50", name="b-stop", group="exit")
    fills, _, _ = work_bar([target, stop], BAR, MODEL)
    assert traded(fills) == at(100, "100")
    assert stop.status is OrderStatus.CANCELED


def test_fv12_leg_executed_in_part_reduces_the_other_to_the_rest() -> None:
    target = working(SELL, 4_000, limit="102.50", name="a-target", group="exit")
    stop = working(SELL, 4_000, stop="98.50", name="b-stop", group="exit")
    fills, _, _ = work_bar([target, stop], BAR, MODEL)
    assert traded(fills) == at(2_500, "98.50")
    assert (stop.remaining, target.remaining, target.status) == (1_500, 1_500, OrderStatus.ACKED)


def test_fv13_trailing_stop_by_percent_moves_by_the_highs_of_earlier_bars_only() -> None:
    stop = trailing(SELL, seen="101", trail_pct="2")

    fills, events, marks = work_bar([stop], BAR, MODEL)

    assert traded(fills) == at(100, "98.98")
    assert fills[0].filled_at == CLOSES
    assert (statuses(events), marks) == ([OrderStatus.FILLED], [])


def test_fv13_trailing_stop_by_amount_falls_back_as_far() -> None:
    assert traded(work_bar([trailing(SELL, seen="101", trail_usd="2.50")], BAR, MODEL).fills) == at(100, "98.50")
    assert traded(work_bar([trailing(SELL, seen="101", trail_usd="3.50")], BAR, MODEL).fills) == []
    assert traded(work_bar([trailing(SELL, seen="104", trail_usd="3")], BAR, SLIPPING).fills) == at(100, "99.80")


def test_fv13_trailing_stop_that_survives_the_bar_takes_its_high_into_the_next() -> None:
    stop = trailing(SELL, seen="101", trail_pct="4")

    work = work_bar([stop], BAR, MODEL)

    assert (work.fills, work.events) == ([], [])
    assert work.trail_marks == [TrailMark("o1", CLOSES, BAR.session_date, Decimal(103))]
    assert (stop.mark_price, stop.stop_price) == (Decimal(103), Decimal("98.8800"))
    assert traded(work_bar([stop], replace(NEXT, open=Decimal("99.50")), MODEL).fills) == at(100, "98.88")


def test_fv13_trailing_stop_never_moves_back() -> None:
    stop = trailing(SELL, seen="110", trail_pct="20")
    assert work_bar([stop], BAR, MODEL) == NOTHING
    assert stop.stop_price == Decimal(88)


def test_fv13_trailing_buy_follows_the_lows_and_stops_above_them() -> None:
    stop = trailing(BUY, seen="99", trail_pct="5")
    assert work_bar([stop], BAR, MODEL).trail_marks[0].mark_price == Decimal(98)
    assert stop.stop_price == Decimal("102.90")
    assert traded(work_bar([stop], NEXT, MODEL).fills) == at(100, "102.90")


def test_fv13_trailing_stop_that_has_seen_no_price_begins_at_the_open() -> None:
    fills, _, marks = work_bar([working(SELL, trail_pct="1.5", tif=TimeInForce.GTC)], BAR, MODEL)
    assert traded(fills) == at(100, "98.50")
    assert marks == []

    fresh = working(SELL, trail_pct="3", tif=TimeInForce.GTC)
    assert work_bar([fresh], BAR, MODEL).trail_marks[0].mark_price == Decimal(103)


def test_fv13_trailing_stop_in_a_bar_without_volume_sees_no_price() -> None:
    assert work_bar([trailing(SELL, seen="101", trail_pct="9")], replace(BAR, volume=Decimal(0)), MODEL) == NOTHING


def trailing(side: Side, *, seen: str, trail_usd: str | None = None, trail_pct: str | None = None) -> WorkingOrder:
    """A trailing stop whose best price so far is `seen`."""
    stop = working(side, trail_usd=trail_usd, trail_pct=trail_pct, tif=TimeInForce.GTC)
    stop.trail(Decimal(seen))
    return stop


def test_fv14_opg_market_order_gets_the_official_print_else_the_open_without_slippage() -> None:
    official = replace(WHOLE_SESSION, opening_print=Decimal("99.90"))
    for auctions, price in ((official, "99.90"), (WHOLE_SESSION, "100")):
        (fill,) = work_bar([working(BUY, tif=TimeInForce.OPG)], BAR, SLIPPING, auctions).fills
        assert (fill.price, fill.filled_at) == (Decimal(price), OPENS)


def test_fv14_opg_limit_that_equals_the_print_is_not_filled_and_ends_with_the_auction() -> None:
    work = work_bar([working(BUY, limit="100", tif=TimeInForce.OPG)], BAR, MODEL, WHOLE_SESSION)
    assert (work.fills, statuses(work.events)) == ([], [OrderStatus.CANCELED])

    better = working(BUY, limit="100.01", tif=TimeInForce.OPG)
    assert traded(work_bar([better], BAR, MODEL, WHOLE_SESSION).fills) == at(100, "100")


def test_fv14_opg_order_waits_for_a_bar_that_holds_the_opening_auction() -> None:
    order = working(BUY, tif=TimeInForce.OPG)
    assert work_bar([order], BAR, MODEL, Auctions(has_closing=True)) == NOTHING
    assert traded(work_bar([order], NEXT, MODEL, WHOLE_SESSION).fills) == at(100, "100")


def test_fv14_opg_order_beyond_the_volume_limit_ends_with_the_auction() -> None:
    fills, events, _ = work_bar([working(BUY, 4_000, tif=TimeInForce.OPG)], BAR, MODEL, WHOLE_SESSION)
    assert traded(fills) == at(2_500, "100")
    assert statuses(events) == [OrderStatus.PARTIALLY_FILLED, OrderStatus.CANCELED]


def test_fv15_cls_market_order_gets_the_official_print_else_the_close_and_never_before_the_close() -> None:
    official = replace(WHOLE_SESSION, closing_print=Decimal("101.25"))
    for auctions, price in ((official, "101.25"), (WHOLE_SESSION, "101")):
        (fill,) = work_bar([working(SELL, tif=TimeInForce.CLS)], BAR, SLIPPING, auctions).fills
        assert (fill.price, fill.filled_at, fill.booked_at) == (Decimal(price), CLOSES, CLOSES)


def test_fv15_cls_order_waits_for_a_bar_that_holds_the_closing_auction() -> None:
    order = working(SELL, tif=TimeInForce.CLS)
    assert work_bar([order], BAR, MODEL, Auctions(has_opening=True)) == NOTHING
    assert traded(work_bar([order], NEXT, MODEL, WHOLE_SESSION).fills) == at(100, "101")


def test_fv15_cls_limit_that_equals_the_print_is_not_filled() -> None:
    work = work_bar([working(SELL, limit="101", tif=TimeInForce.CLS)], BAR, MODEL, WHOLE_SESSION)
    assert (work.fills, statuses(work.events)) == ([], [OrderStatus.CANCELED])


def test_fv15_orders_of_the_closing_auction_get_what_the_day_left_of_the_volume() -> None:
    late = working(SELL, 2_000, tif=TimeInForce.CLS, name="a", submitted_at=OPENS - timedelta(hours=20))
    stop = working(SELL, 2_000, stop="99", name="b")
    work_bar([late, stop], BAR, MODEL, WHOLE_SESSION)
    assert (stop.filled_qty, late.filled_qty) == (2_000, 500)


def test_auction_order_that_is_neither_market_nor_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="an auction takes market and limit orders, no stop"):
        working(SELL, stop="99", tif=TimeInForce.CLS)


def test_trailing_stop_without_or_with_two_distances_is_refused() -> None:
    with pytest.raises(ValueError, match="has one distance"):
        working(SELL, trail_usd="1", trail_pct="1")
    with pytest.raises(ValueError, match="has one distance"):
        replace(working(SELL).order, trail_usd=Decimal(1))


def test_fv16_bar_without_volume_fills_nothing_and_triggers_nothing() -> None:
    halted = replace(BAR, volume=Decimal(0))
    orders = [working(BUY), working(BUY, limit="101", name="o2"), working(SELL, stop="99", name="o3")]
    assert work_bar(orders, halted, MODEL) == NOTHING
    assert not orders[2].is_triggered


def test_fv17_ioc_takes_what_is_there_and_cancels_the_rest() -> None:
    order = working(BUY, 4_000, limit="100.50", tif=TimeInForce.IOC)
    fills, events, _ = work_bar([order], BAR, MODEL)
    assert traded(fills) == at(2_500, "100")
    assert statuses(events) == [OrderStatus.PARTIALLY_FILLED, OrderStatus.CANCELED]


def test_fv17_ioc_that_is_not_executable_at_the_open_does_not_wait_for_the_bar() -> None:
    fills, events, _ = work_bar([working(BUY, limit="99", tif=TimeInForce.IOC)], BAR, MODEL)
    assert fills == []
    assert statuses(events) == [OrderStatus.CANCELED]


def test_fv18_fok_beyond_the_volume_limit_is_cancelled_whole() -> None:
    fills, events, _ = work_bar([working(BUY, 4_000, limit="100.50", tif=TimeInForce.FOK)], BAR, MODEL)
    assert fills == []
    assert statuses(events) == [OrderStatus.CANCELED]
    assert traded(work_bar([working(BUY, 2_500, tif=TimeInForce.FOK)], BAR, MODEL)[0]) == at(2_500, "100")


def test_fv19_split_before_the_bar_multiplies_the_shares_and_divides_the_prices() -> None:
    for order, prices in (
        (working(BUY, 10, limit="98", tif=TimeInForce.GTC), ("24.50", None, None)),
        (working(SELL, 10, stop="98", limit="97", tif=TimeInForce.GTC), ("24.25", "24.50", None)),
        (trailing(SELL, seen="104", trail_usd="4"), (None, "25", "1")),
        (trailing(SELL, seen="104", trail_pct="5"), (None, "24.70", None)),
    ):
        split = CorporateAction("IBM", BAR.session_date, ActionKind.SPLIT, split_ratio=Decimal(4))
        before = order.remaining
        _, events = actions_on_book(Book("acc"), [order], [split], BAR.session_date, OPENS, {})

        assert [event.qty for event in events][-1] == order.remaining == 4 * before
        assert (order.limit_price, order.stop_price, order.trail_usd) == tuple(
            None if price is None else Decimal(price) for price in prices
        )


def test_fv20_slippage_worsens_the_price_of_both_sides() -> None:
    assert traded(work_bar([working(BUY)], BAR, SLIPPING)[0]) == at(100, "100.20")
    assert traded(work_bar([working(SELL)], BAR, SLIPPING)[0]) == at(100, "99.80")


def test_slipped_price_has_four_decimals() -> None:
    model = FillModel(Decimal(5), Decimal("0.025"))
    assert str(model.slipped(Decimal("33.3333"), BUY)) == "33.3500"


def test_order_sent_after_the_bar_began_waits_for_the_next() -> None:
    late = working(BUY, submitted_at=OPENS + timedelta(seconds=1))
    assert work_bar([late], BAR, MODEL) == NOTHING
    assert len(work_bar([late], NEXT, MODEL)[0]) == 1


def test_order_sent_as_the_bar_begins_works_in_it() -> None:
    assert len(work_bar([working(BUY, submitted_at=OPENS)], BAR, MODEL)[0]) == 1


def test_order_of_another_symbol_or_at_its_end_is_left_alone() -> None:
    ended = working(BUY)
    ended.move(OrderStatus.CANCELED, OPENS, BAR.session_date)
    assert work_bar([ended], BAR, MODEL) == NOTHING
    assert work_bar([working(BUY)], replace(BAR, symbol="MSFT"), MODEL) == NOTHING


def test_order_whose_cancel_is_pending_can_still_fill() -> None:
    order = working(BUY)
    order.move(OrderStatus.PENDING_CANCEL, OPENS, BAR.session_date)
    assert traded(work_bar([order], BAR, MODEL)[0]) == at(100, "100")


def test_orders_share_the_volume_limit_in_order_of_submission() -> None:
    first = working(BUY, 2_000, name="z", submitted_at=OPENS - timedelta(hours=2))
    second = working(BUY, 2_000, name="a", submitted_at=OPENS - timedelta(hours=1))
    work_bar([second, first], BAR, MODEL)
    assert (first.filled_qty, second.filled_qty) == (2_000, 500)


def test_volume_limit_gives_whole_shares_only() -> None:
    fills, _, _ = work_bar([working(BUY)], replace(BAR, volume=Decimal(139)), MODEL)
    assert traded(fills) == at(3, "100")


def test_stop_filled_in_part_goes_on_as_a_market_order() -> None:
    stop = working(SELL, 4_000, stop="99", tif=TimeInForce.GTC)
    assert traded(work_bar([stop], BAR, MODEL)[0]) == at(2_500, "99")
    assert traded(work_bar([stop], replace(NEXT, open=Decimal(105)), MODEL)[0]) == at(1_500, "105")


def test_fills_of_bar_changes_nothing() -> None:
    order = working(BUY)
    before = replace(order)
    fills_of_bar([order], BAR, MODEL)
    assert order == before


def test_fill_of_one_order_is_what_the_bar_alone_would_give_it() -> None:
    order = working(BUY, limit="98.01")
    assert MODEL.fill(order, BAR, Decimal(40)) == Execution(order, Decimal(40), Decimal("98.01"), CLOSES)
    assert MODEL.fill(order, BAR, Decimal(0)) is None
    assert MODEL.fill(order, replace(BAR, symbol="MSFT"), Decimal(40)) is None


prices = st.decimals(min_value=90, max_value=110, places=2).map(str)
requests = st.tuples(
    st.sampled_from(list(Side)),
    st.integers(1, 3_000),
    st.none() | prices,
    st.none() | prices,
    st.sampled_from(list(TimeInForce)),
).filter(lambda request: request[3] is None or request[4] not in AUCTION_TIMES)


@given(st.lists(requests, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_work_bar_keeps_every_promise_for_any_orders(
    wanted: list[tuple[Side, int, str | None, str | None, TimeInForce]], shuffler: object
) -> None:
    def orders() -> list[WorkingOrder]:
        return [
            working(side, qty, limit=limit, stop=stop, tif=tif, name=f"o{number}")
            for number, (side, qty, limit, stop, tif) in enumerate(wanted)
        ]

    sent = orders()
    fills, events, _ = work_bar(sent, BAR, SLIPPING, WHOLE_SESSION)
    assert sum(fill.qty for fill in fills) <= 2_500
    by_name = {order.order.client_order_id: order for order in sent}
    for fill in fills:
        order = by_name[fill.client_order_id]
        assert fill.qty == fill.qty.to_integral_value()
        assert order.filled_qty == fill.qty <= order.qty
        limit = order.order.limit_price
        assert limit is None or (fill.price - limit) * fill.side.sign <= 0
        assert fill.booked_at >= fill.filled_at
    for order in sent:
        assert (order.status is OrderStatus.FILLED) == (order.remaining == 0)
        numbers = [event.event_no for event in events if event.client_order_id == order.order.client_order_id]
        assert numbers == list(range(3, 3 + len(numbers)))
    shuffled = orders()
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    assert work_bar(shuffled, BAR, SLIPPING, WHOLE_SESSION) == (fills, events, [])


def test_limit_order_without_a_limit_price_is_named() -> None:
    order = working(BUY, limit="98")
    order.limit_price = None
    with pytest.raises(ValueError, match="o1 is a limit order without a limit price"):
        work_bar([order], BAR, MODEL)
