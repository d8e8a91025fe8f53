"""How facts with dates of their own become what was known of a symbol at a moment."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction, DelistingReason
from trading_assets.domain.risk.standings import (
    ActionVersion,
    Condition,
    HaltVersion,
    ListingFact,
    Restriction,
    RestrictionKind,
    Span,
    Standings,
    action_spans,
    always_tradable,
    halt_spans,
    listing_spans,
    restriction_spans,
)

LISTED, TRADABLE = Condition.LISTED, Condition.TRADABLE


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def conditions(spans: list[Span], at: str, symbol: str = "IBM") -> set[Condition]:
    return set(Standings(spans).of(symbol, utc(at)))


def listing(known_at: str = "2024-06-01", **changes: object) -> ListingFact:
    facts = {
        "symbol": "IBM",
        "first_day": date(2010, 1, 4),
        "last_day": None,
        "is_tradable": True,
        "asset_class": "us_equity",
        "exchange": "NYSE",
        "delisted_on": None,
        "known_at": utc(known_at),
        "is_shortable": True,
        "is_easy_to_borrow": True,
        "is_unqualified_partnership": False,
    }
    return ListingFact(**{**facts, **changes})  # type: ignore[arg-type]


def test_symbol_that_nothing_is_known_of_is_not_listed() -> None:
    assert conditions([], "2024-06-03T14:00") == set()
    assert Standings(()).of("IBM", utc("2024-06-03T14:00")) == frozenset()


def test_symbol_is_listed_from_the_midnight_of_its_first_day_in_new_york_to_that_of_its_last() -> None:
    spans = listing_spans([listing(last_day=date(2022, 6, 8))])

    assert conditions(spans, "2010-01-04T04:59") == set()
    assert conditions(spans, "2010-01-04T05:00") == {LISTED, TRADABLE}
    assert conditions(spans, "2022-06-09T03:59") == {LISTED, TRADABLE}
    assert conditions(spans, "2022-06-09T04:00") == set()


def test_first_version_counts_for_the_past_and_a_later_one_from_when_it_was_known() -> None:
    spans = listing_spans([listing(), listing("2024-06-10T15:00", is_tradable=False)])

    assert conditions(spans, "2012-06-01T20:00") == {LISTED, TRADABLE}
    assert conditions(spans, "2024-06-10T14:59") == {LISTED, TRADABLE}
    assert conditions(spans, "2024-06-10T15:00") == {LISTED}


def test_what_is_delisted_could_be_traded_until_its_last_day() -> None:
    spans = listing_spans([listing(is_tradable=False, delisted_on=date(2020, 3, 6))])

    assert conditions(spans, "2020-03-06T20:00") == {LISTED, TRADABLE}
    assert conditions(spans, "2020-03-07T05:00") == {LISTED}


@pytest.mark.parametrize(
    ("fact", "condition"),
    [
        ({"asset_class": "crypto"}, Condition.OTHER_CLASS),
        ({"exchange": "otc"}, Condition.OVER_THE_COUNTER),
        ({"is_unqualified_partnership": True}, Condition.UNQUALIFIED_PARTNERSHIP),
        ({"is_shortable": False}, Condition.NOT_SHORTABLE),
        ({"is_easy_to_borrow": False}, Condition.HARD_TO_BORROW),
    ],
)
def test_what_is_not_ordinary_of_a_listing_is_told(fact: dict[str, object], condition: Condition) -> None:
    assert conditions(listing_spans([listing(**fact)]), "2024-06-03T14:00") == {LISTED, TRADABLE, condition}


def test_what_became_hard_to_borrow_was_easy_until_it_was_known() -> None:
    spans = listing_spans([listing(), listing("2024-06-10T15:00", is_easy_to_borrow=False)])

    assert conditions(spans, "2024-06-10T14:59") == {LISTED, TRADABLE}
    assert conditions(spans, "2024-06-10T15:00") == {LISTED, TRADABLE, Condition.HARD_TO_BORROW}


def halt(known_at: str, resumed_at: str | None = None, reason: str = "T1", withdrawn: bool = False) -> HaltVersion:
    begin = utc("2024-06-03T14:30")
    return HaltVersion("IBM", begin, resumed_at and utc(resumed_at), reason, withdrawn, utc(known_at))


def test_halt_lasts_until_trading_resumes() -> None:
    spans = halt_spans([halt("2024-06-04", "2024-06-03T15:00")])

    assert conditions(spans, "2024-06-03T14:29") == set()
    assert conditions(spans, "2024-06-03T14:30") == {Condition.HALTED}
    assert conditions(spans, "2024-06-03T14:59") == {Condition.HALTED}
    assert conditions(spans, "2024-06-03T15:00") == set()


def test_halt_whose_end_became_known_later_lasted_until_then() -> None:
    spans = halt_spans([halt("2024-06-03T14:31"), halt("2024-06-03T17:00", "2024-06-03T15:00")])

    assert conditions(spans, "2024-06-03T16:59") == {Condition.HALTED}
    assert conditions(spans, "2024-06-03T17:00") == set()


def test_halt_that_is_withdrawn_is_none_from_then_on() -> None:
    spans = halt_spans([halt("2024-06-03T14:31"), halt("2024-06-03T15:00", withdrawn=True)])

    assert conditions(spans, "2024-06-03T14:59") == {Condition.HALTED}
    assert conditions(spans, "2024-06-03T15:00") == set()


def test_halt_of_the_whole_market_is_everybodys() -> None:
    spans = halt_spans([halt("2024-06-04", "2024-06-03T14:45", reason="MWC1")])

    assert conditions(spans, "2024-06-03T14:44", "MSFT") == {Condition.MARKET_HALTED}
    assert conditions(spans, "2024-06-03T14:45", "MSFT") == set()


def test_last_word_on_a_symbol_holds() -> None:
    said = [
        (RestrictionKind.WATCHED, "2024-06-03T14:00"),
        (RestrictionKind.RESTRICTED, "2024-06-04T14:00"),
        (RestrictionKind.FREE, "2024-06-05T14:00"),
    ]
    spans = restriction_spans([Restriction("IBM", kind, utc(at), "Ann", "news") for kind, at in said])

    assert conditions(spans, "2024-06-03T13:59") == set()
    assert conditions(spans, "2024-06-03T14:00") == {Condition.WATCHED}
    assert conditions(spans, "2024-06-04T14:00") == {Condition.RESTRICTED}
    assert conditions(spans, "2024-06-05T14:00") == set()


MONDAY = date(2024, 6, 10)
SPLIT = CorporateAction("IBM", MONDAY, ActionKind.SPLIT, split_ratio=Decimal(2))
SHARES = CorporateAction("IBM", MONDAY, ActionKind.STOCK_DIVIDEND, share_ratio=Decimal("0.1"))
DIVIDEND = CorporateAction("IBM", MONDAY, ActionKind.CASH_DIVIDEND, amount_usd=Decimal(1))
SPIN_OFF = CorporateAction("IBM", MONDAY, ActionKind.SPIN_OFF, new_symbol="KD", share_ratio=Decimal("0.2"))
VALUED = CorporateAction(
    "IBM", MONDAY, ActionKind.SPIN_OFF, new_symbol="KD", share_ratio=Decimal("0.2"), value_usd=Decimal(5)
)
DELISTING = CorporateAction("IBM", MONDAY, ActionKind.DELISTING, reason=DelistingReason.WORTHLESS)


@pytest.mark.parametrize(
    ("actions", "is_unresolved"),
    [
        ([SPLIT], False),
        ([DIVIDEND, SPLIT], False),
        ([SPLIT, SHARES], True),
        ([SPIN_OFF], True),
        ([VALUED], False),
        ([DELISTING], True),
    ],
)
def test_actions_are_unresolved_that_leave_open_what_a_share_becomes(
    actions: list[CorporateAction], is_unresolved: bool
) -> None:
    spans = action_spans([ActionVersion(action, utc("2024-05-01")) for action in actions])

    assert bool(spans) == is_unresolved


def test_unresolved_action_stops_from_the_session_before_its_ex_date_to_its_end() -> None:
    spans = action_spans([ActionVersion(SPIN_OFF, utc("2024-05-01"))])

    assert conditions(spans, "2024-06-07T03:59") == set()
    assert conditions(spans, "2024-06-07T04:00") == {Condition.UNRESOLVED_ACTION}
    assert conditions(spans, "2024-06-10T20:00") == {Condition.UNRESOLVED_ACTION}
    assert conditions(spans, "2024-06-11T04:00") == set()


def test_action_that_became_known_afterwards_counts_from_its_ex_date() -> None:
    spans = action_spans([ActionVersion(SPIN_OFF, utc("2026-01-01"))])

    assert conditions(spans, "2024-06-07T20:00") == set()
    assert conditions(spans, "2024-06-10T13:30") == {Condition.UNRESOLVED_ACTION}


def test_action_is_resolved_from_the_moment_its_value_is_known() -> None:
    spans = action_spans([ActionVersion(SPIN_OFF, utc("2024-05-01")), ActionVersion(VALUED, utc("2024-06-10T15:00"))])

    assert conditions(spans, "2024-06-10T14:59") == {Condition.UNRESOLVED_ACTION}
    assert conditions(spans, "2024-06-10T15:00") == set()


def test_symbols_of_a_test_are_tradable_at_all_times() -> None:
    standings = always_tradable(["IBM"])

    assert standings.of("IBM", utc("1990-01-01")) == {LISTED, TRADABLE}
    assert standings.of("MSFT", utc("1990-01-01")) == frozenset()


def test_standings_are_ordinary_where_nothing_but_trading_happened() -> None:
    standings = Standings(
        [*always_tradable(["IBM", "MSFT"]).spans, *halt_spans([halt("2024-06-04", "2024-06-03T15:00")])]
    )
    morning, noon, later = utc("2024-06-03T13:30"), utc("2024-06-03T15:00"), utc("2024-06-04T15:00")

    assert standings.are_ordinary(["IBM", "MSFT"], noon, later)
    assert standings.are_ordinary(["MSFT"], morning, later)
    assert not standings.are_ordinary(["IBM"], morning, later)
    assert not standings.are_ordinary(["AAPL"], noon, later)


def test_symbol_that_cannot_be_borrowed_is_ordinary_and_a_partnership_is_not() -> None:
    def are_ordinary(**facts: object) -> bool:
        return Standings(listing_spans([listing(**facts)])).are_ordinary(["IBM"], noon, later)

    noon, later = utc("2024-06-03T15:00"), utc("2024-06-04T15:00")
    assert are_ordinary(is_shortable=False, is_easy_to_borrow=False)
    assert not are_ordinary(is_unqualified_partnership=True)


def test_halt_of_the_market_leaves_nothing_ordinary() -> None:
    noon, later = utc("2024-06-03T15:00"), utc("2024-06-04T15:00")
    assert not Standings(halt_spans([halt("2024-06-04", reason="MWC3")])).are_ordinary([], noon, later)
