"""Rows of vendors' answers: whatever happens to them, each is used or quarantined, and no exception escapes."""

import json
import random
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from standins.bar_rows import half_hours, in_milliseconds

from trading_assets.adapters.alpaca import AlpacaBar, actions_in
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.polygon_wire import PolygonBar
from trading_assets.adapters.vendor_gateway import Fetch, Page
from trading_assets.adapters.vendor_rows import BarList, BarQuestion, WireBar, read_bars
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.values import Timeframe

FIRST, LAST = date(2024, 5, 6), date(2024, 5, 10)
QUESTION = BarQuestion(("AAPL",), Timeframe.HOUR, FIRST, LAST, datetime(2024, 6, 1, tzinfo=UTC))
NONSENSE: list[Any] = [
    None, True, "", "12.5", "NaN", -1, 0, 1e308, -1e308, 10**400, float("nan"), float("inf"), [], {}, [1], "\x00",
    "\ud800", "2024-05-06T13:30:00Z", "2024-05-06T13:30:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
    "2024-13-45", 1715002200000, 2**63,
]  # fmt: skip


def mutated(rows: list[dict[str, Any]], chance: random.Random) -> list[Any]:
    """The rows after accidents: fields gone, renamed or replaced, rows lost, doubled, swapped or no rows at all."""
    result: list[Any] = []
    for fields in rows:
        row: Any = dict(fields)
        match chance.randrange(10):
            case 0:
                del row[chance.choice(list(row))]
            case 1:
                row[chance.choice(list(row))] = chance.choice(NONSENSE)
            case 2:
                row = chance.choice(NONSENSE)
            case 3:
                result.append(dict(row))
            case 4:
                row["o"], row["h"], row["l"] = row["h"], row["l"], row["o"]
            case 5:
                name = chance.choice(list(row))
                row[name.upper() + "x"] = row.pop(name)
        result.append(row)
    if chance.random() < 0.2:
        chance.shuffle(result)
    return result


VENDORS: dict[str, tuple[type[WireBar], Callable[[list[dict[str, Any]]], list[dict[str, Any]]]]] = {
    "alpaca": (AlpacaBar, list),
    "polygon": (PolygonBar, in_milliseconds),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_ten_thousand_mutated_rows_are_used_or_quarantined_and_nothing_escapes(vendor: str) -> None:
    chance = random.Random(20240506)
    model, as_written = VENDORS[vendor]
    rows = as_written(half_hours("2024-05-06T04:00:00Z", "2024-05-11T00:00:00Z"))
    total = 0
    for response_id, timeframe in enumerate([*Timeframe] * 24, start=1):
        question = BarQuestion(("AAPL",), timeframe, FIRST, LAST, QUESTION.until)
        sent = mutated(rows, chance)
        total += len(sent)
        frame, quarantined = read_bars(question, [BarList("AAPL", response_id, sent)], model, vendor)
        bad = {row.position for row in quarantined}
        assert len(bad) == len(quarantined), "a row is quarantined once"
        for position in set(range(len(sent))) - bad:
            model.model_validate(sent[position])
        assert list(frame.columns) == [*BAR_COLUMNS, "response_id"]
        assert frame[["open", "high", "low", "close"]].gt(0).all(axis=None)
        assert not frame.duplicated(["symbol", "ts"]).any()
        json.dumps([row.row.encode().decode() + row.reason.encode().decode() for row in quarantined])
    assert total > 10_000


def test_untouched_rows_are_all_used() -> None:
    rows = half_hours("2024-05-06T13:30:00Z", "2024-05-06T20:00:00Z")
    frame, quarantined = read_bars(QUESTION, [BarList("AAPL", 1, rows)], AlpacaBar, "alpaca")
    assert quarantined == []
    assert len(frame) == 7


def test_row_without_a_readable_time_costs_only_the_hours_it_may_belong_to() -> None:
    rows = half_hours("2024-05-06T13:30:00Z", "2024-05-06T20:00:00Z")
    rows[5]["t"] = "whenever"
    frame, quarantined = read_bars(QUESTION, [BarList("AAPL", 1, rows)], AlpacaBar, "alpaca")
    assert [row.position for row in quarantined] == [5]
    assert [f"{ts:%H:%M}" for ts in frame["ts"]] == ["13:30", "14:30", "16:30", "17:30", "18:30", "19:30"]


def test_hour_names_the_response_with_its_newest_row() -> None:
    rows = half_hours("2024-05-06T13:30:00Z", "2024-05-06T16:30:00Z")
    lists = [BarList("AAPL", 7, rows[:3]), BarList("AAPL", 8, rows[3:])]
    frame, _ = read_bars(QUESTION, lists, AlpacaBar, "alpaca")
    assert list(frame["response_id"]) == [7, 8, 8]


def test_rows_that_are_no_list_break_the_contract() -> None:
    with pytest.raises(ContractBroken, match="Response 3: AAPL is a dict, not a list of rows"):
        read_bars(QUESTION, [BarList("AAPL", 3, {})], AlpacaBar, "alpaca")


def test_row_of_another_vendor_is_quarantined() -> None:
    rows = in_milliseconds(half_hours("2024-05-06T13:30:00Z", "2024-05-06T14:00:00Z"))
    frame, quarantined = read_bars(QUESTION, [BarList("AAPL", 1, rows)], AlpacaBar, "alpaca")
    assert len(frame) == 0
    assert "is no time such as" in quarantined[0].reason


def test_question_survives_the_way_through_json() -> None:
    assert BarQuestion.of_json(json.loads(json.dumps(QUESTION.as_json()))) == QUESTION


@pytest.mark.parametrize(
    ("numbers", "fault"),
    [
        ((10, 11, 9, 10, 5), None),
        ((10, 10, 10, 10, 0), None),
        ((10, 11, 0, 10, 5), "a price of 0 is not positive"),
        ((10, 11, 9, 10, -5), "a volume of -5 is negative"),
        ((10, 10.5, 9, 11, 5), "high 10.5 is below another price of the bar"),
        ((10, 11, 10.5, 11, 5), "low 10.5 is above another price of the bar"),
    ],
)
def test_bar_that_contradicts_itself_has_a_fault(numbers: tuple[float, ...], fault: str | None) -> None:
    fields = dict(zip(("open", "high", "low", "close", "volume"), numbers, strict=True))
    assert WireBar(ts=datetime(2024, 5, 6, tzinfo=UTC), **fields).fault() == fault


@pytest.mark.parametrize(
    "sections", [{"forward_splits": NONSENSE}, {"cash_dividends": NONSENSE}, {"mergers": NONSENSE}]
)
def test_nonsense_among_actions_is_quarantined_whole(sections: dict[str, list[Any]]) -> None:
    body = json.dumps({"corporate_actions": sections}).encode()
    question = {"symbols": ["AAPL"], "first": "2024-01-01", "last": "2024-12-31"}
    fetch = Fetch(uuid.uuid4(), "alpaca", "corporate_actions", question, [Page(1, "", body)])
    actions, quarantined = actions_in(fetch)
    assert actions == []
    assert len(quarantined) == len(NONSENSE)
