"""Universes through time: their file, their id, and who is a member when."""

from datetime import date

import pytest

from trading_assets.domain.market.universe import Membership, always, members_on, read_members, universe_id

FILE = "symbol,from,to\nLEH,1994-05-31,2008-09-16\nAAPL,1982-11-30,\nFB,2013-12-23,2022-06-08\nLEH,2020-01-02,\n"


def test_file_gives_memberships_in_order() -> None:
    assert read_members(FILE) == (
        Membership("AAPL", date(1982, 11, 30)),
        Membership("FB", date(2013, 12, 23), date(2022, 6, 8)),
        Membership("LEH", date(1994, 5, 31), date(2008, 9, 16)),
        Membership("LEH", date(2020, 1, 2)),
    )


def test_members_of_a_day_include_those_that_failed_later() -> None:
    members = read_members(FILE)
    assert members_on(members, date(2008, 9, 16)) == {"AAPL", "LEH"}
    assert members_on(members, date(2008, 9, 17)) == {"AAPL"}
    assert members_on(always(["X"]), date(1999, 1, 4)) == {"X"}


def test_id_changes_with_any_membership_and_not_with_their_order() -> None:
    members = read_members(FILE)
    assert universe_id(members) == universe_id(members[::-1])
    assert len({universe_id(members), universe_id(members[1:]), universe_id(always(["AAPL"]))}) == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: the columns must be symbol,from,to"),
        ("symbol,from\nA,2020-01-02\n", "line 1: the columns must be symbol,from,to"),
        ("symbol,from,to\n", "line 1: no symbol follows"),
        ("symbol,from,to\n,2020-01-02,\n", "line 2: symbol is empty"),
        ("symbol,from,to\nA,soon,\n", "line 2: from 'soon' is no date"),
        ("symbol,from,to\nA,2020-01-02,2020-01-01\n", "line 2: A ends on 2020-01-01, before it begins"),
        ("symbol,from,to\nA,2020-01-02,\nA,2021-01-04,\n", "line 3: A is a member twice on 2021-01-04"),
        ("symbol,from,to\nA,2021-01-04,\nA,2020-01-02,\n", "line 3: A is a member twice on 2021-01-04"),
    ],
)
def test_broken_file_is_refused_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_members(text)
