"""Who is who: permanent ids, symbols that change hands, and companies that change symbols."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.market.instruments import (
    BEGINNING,
    Instrument,
    SymbolPeriod,
    absorbed,
    end,
    identify,
    place,
    rename,
)

LISTED, RENAMED, TODAY = date(2012, 5, 18), date(2022, 6, 9), date(2024, 5, 6)
DAY = timedelta(days=1)
FB_THEN_META = [
    SymbolPeriod("FB", LISTED, RENAMED - DAY, "facebook"),
    SymbolPeriod("META", RENAMED, None, "facebook"),
]


def instrument(symbol: str = "X", **facts: object) -> Instrument:
    return Instrument(symbol, symbol, "NYSE", **({"is_tradable": True} | facts))  # type: ignore[arg-type]


def meaning(periods: list[SymbolPeriod], symbol: str, day: date) -> str | None:
    (found,) = [one.instrument_id for one in periods if one.symbol == symbol and one.covers(day)] or [None]
    return found


def test_id_is_the_best_permanent_name_that_the_source_gives() -> None:
    assert instrument(figi="BBG1", source_id="a1").new_id("alpaca") == "figi:BBG1"
    assert instrument(source_id="a1").new_id("alpaca") == "alpaca:a1"
    assert instrument(first_session=LISTED).new_id("sample") == "X@2012-05-18"
    assert instrument().new_id("yahoo") == "X@unknown"


def test_known_identifier_decides_whatever_the_symbol_says() -> None:
    identified = {("alpaca", "a1"): "facebook"}
    periods = [SymbolPeriod("X", LISTED, None, "another")]
    assert identify(instrument(source_id="a1"), "alpaca", identified, periods, TODAY) == "facebook"


def test_another_vendor_knows_the_same_instrument_by_its_symbol() -> None:
    identified = {("figi", "BBG1"): "figi:BBG1"}
    periods = [SymbolPeriod("X", LISTED, None, "figi:BBG1")]
    assert identify(instrument(source_id="a1"), "alpaca", identified, periods, TODAY) == "figi:BBG1"
    assert identify(instrument(), "yahoo", identified, periods, TODAY) == "figi:BBG1"


def test_same_vendor_with_another_name_for_the_symbol_means_another_company() -> None:
    identified = {("alpaca", "a1"): "alpaca:a1"}
    periods = [SymbolPeriod("X", LISTED, None, "alpaca:a1")]
    assert identify(instrument(source_id="a2"), "alpaca", identified, periods, TODAY) == "alpaca:a2"


def test_symbol_begins_with_the_first_session_or_with_the_listing_or_always() -> None:
    for facts, since in (({"first_session": LISTED}, LISTED), ({"listed_on": RENAMED}, RENAMED), ({}, BEGINNING)):
        assert place([], "x", instrument(**facts), TODAY) == [SymbolPeriod("X", since, None, "x")]


def test_symbol_of_another_company_passes_on_with_the_newcomers_first_session() -> None:
    old = [SymbolPeriod("X", LISTED, None, "old")]
    periods = place(old, "new", instrument(first_session=date(2023, 1, 3)), TODAY)
    assert meaning(periods, "X", date(2023, 1, 2)) == "old"
    assert meaning(periods, "X", date(2023, 1, 3)) == "new"


def test_symbol_of_a_delisted_company_is_taken_only_after_its_last_day() -> None:
    gone = [SymbolPeriod("X", LISTED, date(2020, 3, 2), "old")]
    # The vendor's bars of the symbol reach back into the time of the other company.
    periods = place(gone, "new", instrument(first_session=date(2015, 1, 5)), TODAY)
    assert meaning(periods, "X", date(2020, 3, 2)) == "old"
    assert meaning(periods, "X", date(2020, 3, 3)) == "new"


def test_instrument_seen_under_a_new_symbol_changed_it_today_until_the_rename_is_known() -> None:
    seen = place([SymbolPeriod("FB", LISTED, None, "facebook")], "facebook", instrument("META"), TODAY)
    assert meaning(seen, "FB", TODAY - DAY) == meaning(seen, "META", TODAY) == "facebook"
    assert meaning(seen, "FB", TODAY) is None

    assert rename(seen, "FB", "META", RENAMED) == FB_THEN_META


def test_rename_is_told_of_whichever_name_is_known() -> None:
    assert rename([SymbolPeriod("FB", LISTED, None, "facebook")], "FB", "META", RENAMED) == FB_THEN_META
    assert rename([SymbolPeriod("META", LISTED, None, "facebook")], "FB", "META", RENAMED) == FB_THEN_META
    assert rename(FB_THEN_META, "FB", "META", RENAMED) == FB_THEN_META
    assert rename([], "FB", "META", RENAMED) == []


def test_company_first_seen_under_its_new_name_is_the_old_one() -> None:
    both = [SymbolPeriod("FB", LISTED, None, "facebook"), SymbolPeriod("META", RENAMED, None, "meta")]
    renamed = rename(both, "FB", "META", RENAMED)
    assert renamed == FB_THEN_META
    assert absorbed(both, renamed) == {"meta"}


def test_delisted_instrument_keeps_its_symbol_until_its_last_day_and_does_not_come_back() -> None:
    listed = [SymbolPeriod("X", LISTED, None, "x")]
    ended = end(listed, "X", RENAMED)
    assert ended == [SymbolPeriod("X", LISTED, RENAMED, "x")]
    assert place(ended, "x", instrument(is_tradable=False), TODAY) == ended
    assert place([], "x", instrument(first_session=LISTED, delisted_on=RENAMED, is_tradable=False), TODAY) == ended


symbols, ids = st.sampled_from(["A", "B", "C"]), st.sampled_from(["one", "two", "three"])
days = st.dates(date(2020, 1, 1), date(2020, 1, 20))
events = st.lists(
    st.tuples(st.just("seen"), ids, symbols, st.none() | days, days)
    | st.tuples(st.just("rename"), symbols, symbols, days)
    | st.tuples(st.just("end"), symbols, days),
    max_size=12,
)


@given(events)
def test_whatever_is_learnt_a_symbol_means_one_instrument_a_day_and_an_instrument_has_one_symbol(
    learnt: list[tuple[object, ...]],
) -> None:
    periods: list[SymbolPeriod] = []
    for step in learnt:
        match step:
            case ("seen", str() as one, str() as symbol, first, date() as today):
                periods = place(periods, one, instrument(symbol, first_session=first), today)
            case ("rename", str() as old, str() as new, date() as day) if old != new:
                periods = rename(periods, old, new, day)
            case ("end", str() as symbol, date() as day):
                periods = end(periods, symbol, day)
        assert all(one.valid_to is None or one.valid_from <= one.valid_to for one in periods)
        for day in (date(2019, 12, 31) + n * DAY for n in range(25)):
            there = [one for one in periods if one.covers(day)]
            assert len({one.symbol for one in there}) == len({one.instrument_id for one in there}) == len(there)
