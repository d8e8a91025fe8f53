"""What is known of a symbol, an account and its orders arrives at the rules through the time loop."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from trading_assets.domain.execution.account_activity import order_terms
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.sessions import bar_bounds, session
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.standings import Condition, Span, Standings, always_tradable
from trading_assets.domain.simulation import Account, Moment, Rules, open_book, walk
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import Timeframe
from trading_assets.settings import RiskSettings

DAY, NEXT = date(2012, 6, 1), date(2012, 6, 4)
WIDE = RiskSettings(max_order_notional=1, max_position=1, max_gross_exposure=1, cash_buffer=0, stop_all_drawdown=0.9)
RULES = Rules(RiskLimits.of(WIDE.limits()), FillModel(slippage_bps=Decimal(0), volume_limit=Decimal(1)))
TRADES = always_tradable(["IBM", "MSFT"])


def hour(number: int, *wanted: tuple[str, str, str], day: date = DAY, standings: Standings = TRADES) -> Moment:
    """The close of an hour in which IBM and MSFT stood at 100; `wanted` are strategy, symbol and weight."""
    bounds, price = bar_bounds(day, Timeframe.HOUR)[number], Decimal(100)
    bars = [Bar(symbol, *bounds, day, price, price, price, price, Decimal(100_000)) for symbol in ("IBM", "MSFT")]
    targets = [Target(name, "1", symbol, bounds.closes_at, day, Decimal(weight)) for name, symbol, weight in wanted]
    gates = {"IBM": "open", "MSFT": "open"}
    return Moment(bounds.closes_at, session(day), bars, [], targets, gates, standings=standings)


def lived(*moments: Moment, cash: int = 100_000, **limits: Any) -> tuple[Account, Journal]:
    account, journal = open_book("acc", Decimal(cash), moments[0].session)
    account_type = limits.pop("account_type", "margin")
    rules = replace(RULES, limits=replace(RULES.limits, **limits), is_margin_account=account_type == "margin")
    walk(account, moments, rules, {}, (), journal)
    return account, journal


def reasons(journal: Journal) -> list[list[str]]:
    return [list(verdict.reason_codes) for verdict in journal.verdicts]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (Condition.RESTRICTED, "SYMBOL_RESTRICTED"),
        (Condition.WATCHED, "SYMBOL_WATCHED"),
        (Condition.HALTED, "TRADING_HALTED"),
        (Condition.MARKET_HALTED, "TRADING_HALTED"),
        (Condition.UNRESOLVED_ACTION, "CORPORATE_ACTION_UNRESOLVED"),
        (Condition.OVER_THE_COUNTER, "INSTRUMENT_NOT_TRADABLE"),
    ],
)
def test_standing_of_a_symbol_denies_from_its_time_on(condition: Condition, reason: str) -> None:
    second = hour(1).at
    standings = Standings([*TRADES.spans, Span("IBM", condition, begin=second)])
    moments = [hour(number, ("s", "IBM", weight), standings=standings) for number, weight in enumerate(["0.1", "0.2"])]

    _, journal = lived(*moments)

    assert reasons(journal) == [[], [reason]]


def test_symbol_of_which_nothing_is_known_is_denied() -> None:
    _, journal = lived(hour(0, ("s", "IBM", "0.1"), standings=Standings(())))

    assert reasons(journal) == [["INSTRUMENT_NOT_TRADABLE"]]


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"max_open_orders": 1}, "OPEN_ORDERS_EXCEED_LIMIT"),
        ({"max_strategy_orders_minute": 1}, "ORDER_RATE_EXCEEDS_LIMIT"),
        ({"max_session_orders": 1}, "SESSION_ORDERS_EXCEED_LIMIT"),
        ({"max_session_turnover": Decimal("0.19")}, "SESSION_TURNOVER_EXCEEDS_LIMIT"),
    ],
)
def test_orders_of_one_moment_count_for_those_after_them(limit: dict[str, Any], reason: str) -> None:
    _, journal = lived(hour(0, ("s", "IBM", "0.1"), ("s", "MSFT", "0.1")), **limit)

    assert reasons(journal)[0] == []
    assert reason in reasons(journal)[1]


def test_orders_of_the_session_count_until_it_ends() -> None:
    moments = [hour(number, ("s", "IBM", weight)) for number, weight in enumerate(["0.1", "0.2"])]
    later = hour(0, ("s", "IBM", "0.3"), day=NEXT)

    _, journal = lived(*moments, *map(hour, range(2, 7)), later, max_session_orders=1)

    assert reasons(journal) == [[], ["SESSION_ORDERS_EXCEED_LIMIT"], []]


def test_changes_of_side_in_a_symbol_are_counted_and_closing_goes_on() -> None:
    weights = ["0.1", "0", "0.1", "0"]
    _, journal = lived(
        *(hour(number, ("s", "IBM", weight)) for number, weight in enumerate(weights)), max_session_reversals=1
    )

    assert reasons(journal) == [[], [], ["SESSION_REVERSALS_EXCEED_LIMIT"]]


def test_second_order_of_the_same_kind_soon_after_is_a_duplicate() -> None:
    moments = [hour(0, ("s", "IBM", "0.1")), hour(1, ("s", "IBM", "0.2"))]

    _, journal = lived(*moments, duplicate_window_s=3600)

    assert reasons(journal) == [[], ["ORDER_DUPLICATE"]]


@pytest.mark.parametrize(("allowed", "denied"), [(True, []), (False, ["ORDER_CROSSES_OWN"])])
def test_strategies_that_want_opposite_sides_at_once_cross_each_other(allowed: bool, denied: list[str]) -> None:
    moments = [hour(0, ("a", "IBM", "0.1")), hour(1, ("a", "IBM", "0"), ("b", "IBM", "0.1"))]

    _, journal = lived(*moments, allow_self_cross=allowed)

    assert reasons(journal) == [[], [], denied]


def test_small_margin_account_stays_below_the_pattern_of_a_day_trader() -> None:
    weights = {0: ["0.1", "0", "0.1", "0", "0.1", "0", "0.1"], 1: ["0", "0.1", "0"]}
    moments = [
        hour(number, ("s", "IBM", weight), day=day)
        for place, day in enumerate((DAY, NEXT))
        for number, weight in enumerate(weights[place])
    ]
    _, small = lived(*moments, cash=24_000)
    _, large = lived(*moments, cash=26_000)
    _, in_cash = lived(*moments, cash=24_000, account_type="cash", cash_buffer=Decimal(0))

    # The sale of what was bought at the first close executes in the second session, and so does its purchase.
    assert [codes for codes in reasons(small) if codes] == [["DAY_TRADES_EXCEED_LIMIT"], ["DAY_TRADES_EXCEED_LIMIT"]]
    assert not any("DAY_TRADES_EXCEED_LIMIT" in codes for codes in reasons(large) + reasons(in_cash))


def test_money_of_a_sale_is_settled_before_a_cash_account_spends_it() -> None:
    moments = [hour(0, ("s", "IBM", "0.9")), hour(1, ("s", "IBM", "0")), hour(2, ("s", "MSFT", "0.9"))]

    _, margin = lived(*moments)
    _, cash = lived(*moments, account_type="cash")

    assert reasons(margin) == [[], [], []]
    assert reasons(cash) == [[], [], ["BUYING_POWER_INSUFFICIENT"]]


def test_order_for_the_day_is_taken_at_the_close_for_the_next_session() -> None:
    terms = order_terms(session(DAY).closes_at, ["s"])

    assert (terms.placement, terms.cut_off_at, terms.with_legs) == ("later", session(NEXT).closes_at, {"s"})
    assert order_terms(datetime(2012, 6, 1, 14, 30, tzinfo=UTC), []).placement == "now"


def test_account_of_another_broker_is_denied() -> None:
    account, journal = open_book("acc", Decimal(100_000), session(DAY), broker="alpaca")

    walk(account, [hour(0, ("s", "IBM", "0.1"))], RULES, {}, (), journal)

    assert reasons(journal) == [["INPUT_MISSING", "ENVIRONMENT_MISMATCH"]]


def test_account_at_a_real_broker_that_nobody_watches_is_denied() -> None:
    account, journal = open_book("acc", Decimal(100_000), session(DAY), broker="alpaca")

    walk(account, [hour(0, ("s", "IBM", "0.1"))], replace(RULES, broker="alpaca"), {}, (), journal)

    (verdict,) = journal.verdicts
    failed = {check.rule_id: check.inputs["missing"] for check in verdict.checks if not check.is_passed}
    assert verdict.reason_codes == ("INPUT_MISSING",)
    assert failed == {
        "RC-05b": "clock_skew_ms",
        "RC-15c": "quotes[IBM]",
        "RC-29a": "heartbeat_at",
        "RC-29b": "reconciled_at",
        "RC-29c": "connected_at",
        "RC-40": "venue",
    }
