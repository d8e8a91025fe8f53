"""Rows of corporate actions, kind by kind: what each becomes, and what is wrong with the ones that are set aside."""

import json
import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from trading_assets.adapters import alpaca, polygon_wire
from trading_assets.adapters.alpaca_actions import ACTIONS
from trading_assets.adapters.vendor_gateway import Fetch, Page, QuarantinedRow
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction, DelistingReason

DAY, PAID = date(2024, 5, 6), date(2024, 5, 9)
D = Decimal
QUESTION = {"symbols": ["OLD", "B-A"], "first": "2024-01-01", "last": "2024-12-31"}
EFFECTIVE = {"effective_date": "2024-05-06", "process_date": "2024-05-07"}
UNIT = {**EFFECTIVE, "old_symbol": "OLD", "old_rate": 1, "new_symbol": "NEW", "alternate_symbol": "WT"}
MERGER = {**EFFECTIVE, "acquiree_symbol": "OLD", "acquiree_rate": 1, "payable_date": "2024-05-09"}


def act(kind: ActionKind, symbol: str = "OLD", **terms: Any) -> CorporateAction:
    return CorporateAction(symbol, DAY, kind, **terms)


def delisting(**terms: Any) -> CorporateAction:
    return act(ActionKind.DELISTING, **({"reason": DelistingReason.MERGER} | terms))


SPLIT, SPIN_OFF, RENAME = ActionKind.SPLIT, ActionKind.SPIN_OFF, ActionKind.RENAME
RENAMED = act(RENAME, new_symbol="NEW")


def read(sections: dict[str, Any]) -> tuple[list[CorporateAction], list[QuarantinedRow]]:
    page = Page(1, "", json.dumps({"corporate_actions": sections}).encode())
    return alpaca.actions_in(Fetch(uuid.uuid4(), "alpaca", "corporate_actions", QUESTION, [page]))


ACCEPTED: list[tuple[str, dict[str, Any], list[CorporateAction]]] = [
    ("forward_splits", {"symbol": "OLD", "new_rate": 3, "old_rate": 2}, [act(SPLIT, split_ratio=D("1.5"))]),
    ("reverse_splits", {"symbol": "OLD", "new_rate": 1, "old_rate": 8}, [act(SPLIT, split_ratio=D("0.125"))]),
    (
        "reverse_splits",
        {"symbol": "OLD", "new_rate": 1, "old_rate": 8, "new_symbol": "NEW"},
        [RENAMED, act(SPLIT, split_ratio=D("0.125"))],
    ),
    (
        "unit_splits",
        {**UNIT, "new_rate": 1, "alternate_rate": 0.5},
        [RENAMED, act(SPIN_OFF, new_symbol="WT", share_ratio=D("0.5"))],
    ),
    (
        "unit_splits",
        {**UNIT, "new_rate": 2, "alternate_rate": 1},
        [RENAMED, act(SPIN_OFF, new_symbol="WT", share_ratio=D(1)), act(SPLIT, split_ratio=D(2))],
    ),
    (
        "cash_dividends",
        {"symbol": "B.A", "rate": 0.25, "special": True, "foreign": True, "payable_date": "2024-05-09"},
        [act(ActionKind.CASH_DIVIDEND, "B-A", amount_usd=D("0.25"), pay_date=PAID)],
    ),
    ("stock_dividends", {"symbol": "OLD", "rate": 0.05}, [act(ActionKind.STOCK_DIVIDEND, share_ratio=D("0.05"))]),
    (
        "spin_offs",
        {"source_symbol": "OLD", "source_rate": 4, "new_symbol": "WT", "new_rate": 1},
        [act(SPIN_OFF, new_symbol="WT", share_ratio=D("0.25"))],
    ),
    (
        "rights_distributions",
        {"source_symbol": "OLD", "new_symbol": "OLD.RT", "rate": 1, "payable_date": "2024-05-09"},
        [act(SPIN_OFF, new_symbol="OLD.RT", share_ratio=D(1))],
    ),
    ("name_changes", {"old_symbol": "OLD", "new_symbol": "NEW"}, [RENAMED]),
    ("name_changes", {"old_symbol": "X", "new_symbol": "B.A"}, [act(RENAME, "X", new_symbol="B-A")]),
    ("cash_mergers", {**MERGER, "rate": 5.37}, [delisting(amount_usd=D("5.37"), pay_date=PAID)]),
    (
        "stock_mergers",
        {**MERGER, "acquiree_rate": 2, "acquirer_symbol": "ACQ", "acquirer_rate": 3},
        [delisting(new_symbol="ACQ", share_ratio=D("1.5"), pay_date=PAID)],
    ),
    (
        "stock_and_cash_mergers",
        {**MERGER, "acquirer_symbol": "ACQ", "acquirer_rate": 0.5, "cash_rate": 7.8},
        [delisting(new_symbol="ACQ", share_ratio=D("0.5"), amount_usd=D("7.8"), pay_date=PAID)],
    ),
    ("redemptions", {"symbol": "OLD", "rate": 10}, [delisting(amount_usd=D(10), reason=DelistingReason.REDEMPTION)]),
    ("worthless_removals", {"symbol": "OLD"}, [delisting(reason=DelistingReason.WORTHLESS)]),
]


@pytest.mark.parametrize(("section", "row", "actions"), ACCEPTED)
def test_row_of_each_kind_becomes_actions(section: str, row: dict[str, Any], actions: list[CorporateAction]) -> None:
    dated = {"ex_date": "2024-05-06", "process_date": "2024-05-06", **row}
    found, quarantined = read({section: [dated]})
    assert found == actions
    assert quarantined == []
    assert {action.response_id for action in found} == {1}


def test_every_kind_that_is_read_is_tried() -> None:
    assert {section for section, _, _ in ACCEPTED} == set(ACTIONS)


@pytest.mark.parametrize(
    ("section", "row", "reason"),
    [
        ("forward_splits", {"symbol": "OLD", "new_rate": 0, "old_rate": 1}, "0 new shares for 1 old ones is no split"),
        ("unit_splits", {**UNIT, "new_rate": 1, "alternate_rate": 0}, "OLD does not come apart into two other symbols"),
        ("cash_dividends", {"symbol": "OLD", "rate": 1, "currency": "CAD"}, "paid in CAD, not in USD"),
        ("cash_dividends", {"symbol": "OLD", "rate": 0}, "0 USD is no payment"),
        ("stock_dividends", {"symbol": "OLD", "rate": -0.1}, "-0.1 shares is no stock dividend"),
        (
            "spin_offs",
            {"source_symbol": "OLD", "source_rate": 0, "new_symbol": "WT", "new_rate": 1},
            "1 shares of WT for 0 is no distribution",
        ),
        (
            "rights_distributions",
            {"source_symbol": "OLD", "new_symbol": "OLD", "rate": 1},
            "OLD distributes no other symbol",
        ),
        ("name_changes", {"old_symbol": "OLD", "new_symbol": "OLD"}, "OLD keeps its symbol"),
        ("name_changes", {"old_symbol": "X", "new_symbol": "Y"}, "X was not asked for"),
        ("cash_mergers", {**MERGER, "rate": -1}, "-1 USD is no payment"),
        (
            "stock_mergers",
            {**MERGER, "acquirer_symbol": "", "acquirer_rate": 1},
            "1 shares of '' for 1 is no merger",
        ),
        (
            "stock_and_cash_mergers",
            {**MERGER, "acquiree_rate": 2, "acquirer_symbol": "ACQ", "acquirer_rate": 1, "cash_rate": 5},
            "5 USD for 2 shares is ambiguous",
        ),
        ("redemptions", {"symbol": "OLD"}, "rate: Field required"),
        ("worthless_removals", {}, "symbol: Field required"),
        ("partial_calls", {"symbol": "OLD"}, "partial_calls are not supported"),
        ("reorganizations", {"symbol": "OLD"}, "reorganizations are not supported"),
    ],
)
def test_row_that_cannot_be_used_is_quarantined_with_the_reason(section: str, row: dict[str, Any], reason: str) -> None:
    found, quarantined = read({section: [{"ex_date": "2024-05-06", "process_date": "2024-05-06", **row}]})
    assert found == []
    assert [one.reason for one in quarantined] == [reason]


def test_two_companies_spun_off_on_one_day_are_two_actions() -> None:
    rows = [
        {"source_symbol": "OLD", "source_rate": 1, "new_symbol": name, "new_rate": 0.5, "ex_date": "2024-05-06"}
        for name in ("CARR", "OTIS", "OTIS")
    ]
    found, quarantined = read({"spin_offs": rows})
    assert [action.new_symbol for action in found] == ["CARR", "OTIS"]
    assert [one.reason for one in quarantined] == ["repeats row 1 of spin_offs in response 1"]


def test_two_new_names_for_one_symbol_contradict_each_other() -> None:
    rows = [{"old_symbol": "OLD", "new_symbol": name, "process_date": "2024-05-06"} for name in ("NEW", "NEWER")]
    found, quarantined = read({"name_changes": rows})
    assert found == []
    assert {one.reason for one in quarantined} == {"2 different renames of OLD on 2024-05-06"}


def test_polygons_history_of_names_becomes_renames() -> None:
    events = [
        {"type": "ticker_change", "date": "2024-05-06", "ticker_change": {"ticker": "B.A"}},
        {"type": "ticker_change", "date": "2012-05-18", "ticker_change": {"ticker": "X"}},
        {"type": "ticker_change", "date": "soon", "ticker_change": {"ticker": "Y"}},
    ]
    empty = Page(1, "https://vendor/v3/reference/splits", b'{"status": "OK", "results": []}')
    body = json.dumps({"status": "OK", "results": {"name": "B", "events": events}}).encode()
    names = Page(2, "https://vendor/vX/reference/tickers/B.A/events?types=ticker_change", body)
    question = {**QUESTION, "symbols": ["B-A"]}
    fetch = Fetch(uuid.uuid4(), "polygon", "corporate_actions", question, [empty, empty, names])
    found, quarantined = polygon_wire.actions_in(fetch)
    assert found == [act(RENAME, "X", new_symbol="B-A")]
    assert [(one.section, one.position) for one in quarantined] == [("events", 2)]
