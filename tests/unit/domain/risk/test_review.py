"""The review as a whole: what each rule alone stops, what intents of one moment do to each other, what always holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.calm_market import calm_market

from trading_assets.domain.risk.activity import OpenOrder, SentOrder
from trading_assets.domain.risk.day_trades import DayTradeRecord, Trade
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.protections import Lock, ProtectionKind
from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.risk.rules.rule import Rule
from trading_assets.domain.risk.rules.ruling import FLAG, Ruling
from trading_assets.domain.risk.standings import Condition, Span, Standings
from trading_assets.domain.risk.verdicts import AccountSnapshot, Intent, Outcome, TradingState, Verdict
from trading_assets.domain.values import ReasonCode, Side
from trading_assets.settings import RiskSettings

DEFAULTS = RiskLimits.of(RiskSettings().limits())


class Scenario(NamedTuple):
    """A moment that exactly one rule objects to."""

    reason_code: ReasonCode
    account: dict[str, Any]
    order: dict[str, Any]
    limits: dict[str, Any]


SCENARIOS = {
    "RC-01a": Scenario(ReasonCode.TRADING_STATE_HALTED, {"trading_state": TradingState.HALTED}, {}, {}),
    "RC-01b": Scenario(ReasonCode.TRADING_STATE_REDUCING, {"trading_state": TradingState.REDUCING}, {}, {}),
    "RC-03": Scenario(ReasonCode.QUALITY_GATE_CLOSED, {"gates": {"AAA": "pending"}}, {}, {}),
    "RC-10": Scenario(ReasonCode.QUANTITY_INVALID, {}, {"qty": "1.5"}, {}),
    "RC-13": Scenario(ReasonCode.QUANTITY_EXCEEDS_LIMIT, {"reference_prices": {"AAA": "0.5"}}, {"qty": 10_001}, {}),
    "RC-14": Scenario(ReasonCode.NOTIONAL_EXCEEDS_LIMIT, {}, {"qty": 201}, {"max_position": "0.5"}),
    "RC-16a": Scenario(ReasonCode.LIQUIDITY_INSUFFICIENT, {}, {}, {"max_order_adv": "0.049999"}),
    "RC-16b": Scenario(ReasonCode.LIQUIDITY_INSUFFICIENT, {}, {}, {"max_order_bar_volume": "0.0499"}),
    "RC-17": Scenario(ReasonCode.BUYING_POWER_INSUFFICIENT, {"cash_usd": "10199.99"}, {}, {}),
    "RC-18": Scenario(
        ReasonCode.SHORT_SALE_DISABLED,
        {"positions": {"AAA": 200}, "strategy_positions": {("alpha", "AAA"): 99, ("beta", "AAA"): 101}},
        {"side": Side.SELL},
        {},
    ),
    "RC-21": Scenario(ReasonCode.POSITION_EXCEEDS_LIMIT, {"positions": {"AAA": 101}}, {}, {}),
    "RC-22": Scenario(
        ReasonCode.GROSS_EXPOSURE_EXCEEDS_LIMIT, {"positions": {"BBB": 1_501}, "cash_usd": 24_950}, {}, {}
    ),
    "RC-23a": Scenario(ReasonCode.NET_EXPOSURE_EXCEEDS_LIMIT, {}, {}, {"max_net_exposure": "0.049999"}),
    "RC-23b": Scenario(ReasonCode.BETA_EXPOSURE_EXCEEDS_LIMIT, {}, {}, {"max_beta_exposure": "0.059999"}),
    "RC-24": Scenario(ReasonCode.SECTOR_EXPOSURE_EXCEEDS_LIMIT, {}, {}, {"max_sector_exposure": "0.049999"}),
    "RC-25": Scenario(
        ReasonCode.CLUSTER_EXPOSURE_EXCEEDS_LIMIT,
        {"positions": {"BBB": 100}, "strategy_positions": {}},
        {},
        {"max_cluster_exposure": "0.099999"},
    ),
    "RC-30": Scenario(ReasonCode.DAILY_LOSS_EXCEEDS_LIMIT, {"start_equity_usd": 103_000}, {}, {}),
    "RC-31": Scenario(ReasonCode.DRAWDOWN_EXCEEDS_LIMIT, {"high_water_mark_usd": 112_000}, {}, {}),
    "RC-36": Scenario(ReasonCode.STRATEGY_BUDGET_EXCEEDED, {}, {}, {"max_strategy_exposure": "0.049999"}),
    "RC-39": Scenario(ReasonCode.STRESS_LOSS_EXCEEDS_LIMIT, {}, {}, {"max_stress_loss": "0.0163"}),
}
CLOSE = datetime(2012, 6, 1, 20, tzinfo=UTC)


def sent(
    side: Side = Side.BUY, qty: int = 99, symbol: str = "AAA", strategy: str = "alpha", ago_s: int = 0
) -> SentOrder:
    at = CLOSE - timedelta(seconds=ago_s)
    return SentOrder("another", strategy, symbol, side, Decimal(qty), Decimal(50 * qty), at)


def stands(*conditions: Condition) -> dict[str, Any]:
    return {"day": {"standings": Standings([Span("AAA", condition) for condition in conditions])}}


def at_broker(**changes: Any) -> dict[str, Any]:
    return {"day": {"link": changes}}


def priced(**terms: Any) -> dict[str, Any]:
    return {"day": {"terms": {name: Decimal(price) for name, price in terms.items()}}}


FALLEN = calm_market(["AAA"], CLOSE.date(), CLOSE.date(), low=90.0).view(CLOSE, CLOSE.date(), {})
BUY, SELL, TRADES = Side.BUY, Side.SELL, (Condition.LISTED, Condition.TRADABLE)

SCENARIOS |= {
    "RC-02": Scenario(ReasonCode.APPROVAL_NOT_VALID, {"day": {"approved_at": CLOSE - timedelta(seconds=121)}}, {}, {}),
    "RC-04a": Scenario(ReasonCode.BAR_NOT_NEWEST, {"day": {"newest_close": CLOSE + timedelta(seconds=1)}}, {}, {}),
    "RC-04b": Scenario(
        ReasonCode.REFERENCE_PRICE_STALE,
        {"day": {"reference_at": CLOSE - timedelta(seconds=61)}},
        {},
        {"max_reference_age_s": 60},
    ),
    "RC-05a": Scenario(
        ReasonCode.CUT_OFF_PASSED, {"day": {"terms": {"cut_off_at": CLOSE + timedelta(seconds=29)}}}, {}, {}
    ),
    "RC-05b": Scenario(ReasonCode.CLOCK_SKEWED, at_broker(clock_skew_ms=-501), {}, {}),
    "RC-06": Scenario(ReasonCode.INSTRUMENT_NOT_TRADABLE, stands(Condition.LISTED), {}, {}),
    "RC-07a": Scenario(ReasonCode.SYMBOL_RESTRICTED, stands(*TRADES, Condition.RESTRICTED), {}, {}),
    "RC-07b": Scenario(ReasonCode.SYMBOL_WATCHED, stands(*TRADES, Condition.WATCHED), {}, {}),
    "RC-07c": Scenario(ReasonCode.PARTNERSHIP_UNQUALIFIED, stands(*TRADES, Condition.UNQUALIFIED_PARTNERSHIP), {}, {}),
    "RC-08": Scenario(ReasonCode.CORPORATE_ACTION_UNRESOLVED, stands(*TRADES, Condition.UNRESOLVED_ACTION), {}, {}),
    "RC-09": Scenario(ReasonCode.TRADING_HALTED, stands(*TRADES, Condition.HALTED), {}, {}),
    "RC-09b": Scenario(ReasonCode.SHORT_SALE_RESTRICTED, {"market": FALLEN}, {"side": SELL}, {"allow_short": True}),
    "RC-11a": Scenario(ReasonCode.PRICE_OFF_GRID, priced(limit_usd="50.001"), {}, {}),
    "RC-11b": Scenario(ReasonCode.STOP_ON_WRONG_SIDE, priced(stop_usd="49.99"), {}, {}),
    "RC-12": Scenario(ReasonCode.ORDER_NOT_TAKEN, {"day": {"terms": {"placement": "refused"}}}, {}, {}),
    "RC-15a": Scenario(ReasonCode.LIMIT_PRICE_TOO_FAR, priced(limit_usd="52.51"), {}, {}),
    "RC-15b": Scenario(ReasonCode.STOP_PRICE_TOO_FAR, priced(stop_usd="60.01"), {}, {}),
    "RC-15c": Scenario(
        ReasonCode.SPREAD_TOO_WIDE, at_broker(quotes={"AAA": (Decimal("49.74"), Decimal("50.26"))}), {}, {}
    ),
    "RC-18b": Scenario(
        ReasonCode.NOT_BORROWABLE, stands(*TRADES, Condition.HARD_TO_BORROW), {"side": SELL}, {"allow_short": True}
    ),
    "RC-19": Scenario(ReasonCode.ORDER_DUPLICATE, {"sent_orders": [sent(qty=100, ago_s=30)]}, {}, {}),
    "RC-20": Scenario(
        ReasonCode.ORDER_CROSSES_OWN, {"open_orders": [OpenOrder("AAA", SELL)]}, {}, {"allow_self_cross": False}
    ),
    "RC-26a": Scenario(
        ReasonCode.OPEN_ORDERS_EXCEED_LIMIT,
        {"open_orders": [OpenOrder("AAA", BUY)]},
        {},
        {"max_open_orders_symbol": 1},
    ),
    "RC-26b": Scenario(
        ReasonCode.OPEN_ORDERS_EXCEED_LIMIT, {"open_orders": [OpenOrder("BBB", BUY)]}, {}, {"max_open_orders": 1}
    ),
    "RC-27a": Scenario(
        ReasonCode.ORDER_RATE_EXCEEDS_LIMIT, {"sent_orders": [sent()]}, {}, {"max_symbol_orders_second": 1}
    ),
    "RC-27b": Scenario(
        ReasonCode.ORDER_RATE_EXCEEDS_LIMIT,
        {"sent_orders": [sent(symbol="BBB", ago_s=59)]},
        {},
        {"max_strategy_orders_minute": 1},
    ),
    "RC-27c": Scenario(
        ReasonCode.ORDER_RATE_EXCEEDS_LIMIT,
        {"sent_orders": [sent(symbol="BBB", strategy="beta", ago_s=59)]},
        {},
        {"max_orders_minute": 1},
    ),
    "RC-28a": Scenario(
        ReasonCode.SESSION_ORDERS_EXCEED_LIMIT, {"sent_orders": [sent(symbol="BBB")]}, {}, {"max_session_orders": 1}
    ),
    "RC-28b": Scenario(
        ReasonCode.SESSION_TURNOVER_EXCEEDS_LIMIT,
        {"sent_orders": [sent(symbol="BBB")]},
        {},
        {"max_session_turnover": "0.0994"},
    ),
    "RC-28c": Scenario(
        ReasonCode.SESSION_REVERSALS_EXCEED_LIMIT,
        {"sent_orders": [sent(BUY), sent(SELL)]},
        {},
        {"max_session_reversals": 1},
    ),
    "RC-29a": Scenario(ReasonCode.WATCHDOG_STALE, at_broker(heartbeat_at=CLOSE - timedelta(seconds=91)), {}, {}),
    "RC-29b": Scenario(ReasonCode.WATCHDOG_STALE, at_broker(reconciled_at=CLOSE - timedelta(seconds=121)), {}, {}),
    "RC-29c": Scenario(ReasonCode.WATCHDOG_STALE, at_broker(connected_at=CLOSE - timedelta(seconds=61)), {}, {}),
    "RC-33": Scenario(
        ReasonCode.PROTECTION_LOCKED,
        {"locks": [Lock(ProtectionKind.COOLDOWN, CLOSE + timedelta(days=1), "AAA")]},
        {},
        {},
    ),
    "RC-34": Scenario(
        ReasonCode.DAY_TRADES_EXCEED_LIMIT,
        {"start_equity_usd": "24999.99", "day_trades": DayTradeRecord(3, {}, [Trade("AAA", SELL, Decimal(50))])},
        {},
        {},
    ),
    "RC-35": Scenario(ReasonCode.MARGIN_INSUFFICIENT, {}, {}, {"margin_buffer": "0.9876"}),
    "RC-37": Scenario(
        ReasonCode.STATE_UNRESOLVED, {"open_orders": [OpenOrder("AAA", BUY, is_unresolved=True)]}, {}, {}
    ),
    "RC-40": Scenario(ReasonCode.ENVIRONMENT_MISMATCH, {"day": {"configured_broker": "alpaca"}}, {}, {}),
}
ALONE = [rule for rule in RULES if rule.rule_id not in {"RC-32", "RC-38"}]
"""The rules that object alone and to one intent: a latched breaker reduces the account too, a group is several."""

SWITCHED_ON = dict.fromkeys([key for rule in RULES for key in rule.limit_keys if getattr(DEFAULTS, key) is None], 1)
"""The limits that do not bind by default, so wide that nothing ordinary meets them."""

# Each limit with a value so wide that the scenario of its rule no longer stops anything.
WIDENED: dict[str, tuple[str, Any]] = {
    "max_order_qty": ("RC-13", 20_000),
    "max_order_notional": ("RC-14", "0.2"),
    "max_order_adv": ("RC-16a", "0.05"),
    "max_order_bar_volume": ("RC-16b", "0.05"),
    "cash_buffer": ("RC-17", 0),
    "allow_short": ("RC-18", True),
    "max_position": ("RC-21", "0.2"),
    "max_gross_exposure": ("RC-22", "0.9"),
    "max_net_exposure": ("RC-23a", "0.05"),
    "max_beta_exposure": ("RC-23b", "0.06"),
    "max_sector_exposure": ("RC-24", "0.05"),
    "max_cluster_exposure": ("RC-25", "0.1"),
    "cluster_correlation": ("RC-25", "0.999999"),
    "stop_new_daily_loss": ("RC-30", "0.04"),
    "stop_all_drawdown": ("RC-31", "0.2"),
    "max_strategy_exposure": ("RC-36", "0.05"),
    "max_stress_loss": ("RC-39", "0.0164"),
    "approval_ttl": ("RC-02", timedelta(seconds=121)),
    "max_reference_age_s": ("RC-04b", 61),
    "cut_off_margin_s": ("RC-05a", 29),
    "max_clock_skew_ms": ("RC-05b", 501),
    "max_limit_distance": ("RC-15a", "0.0502"),
    "max_stop_distance": ("RC-15b", "0.2002"),
    "max_spread": ("RC-15c", "0.0104"),
    "duplicate_window_s": ("RC-19", 29),
    "allow_self_cross": ("RC-20", True),
    "max_open_orders_symbol": ("RC-26a", 2),
    "max_open_orders": ("RC-26b", 2),
    "max_symbol_orders_second": ("RC-27a", 2),
    "max_strategy_orders_minute": ("RC-27b", 2),
    "max_orders_minute": ("RC-27c", 2),
    "max_session_orders": ("RC-28a", 2),
    "max_session_turnover": ("RC-28b", "0.0995"),
    "max_session_reversals": ("RC-28c", 2),
    "max_heartbeat_age_s": ("RC-29a", 91),
    "max_reconciliation_age_s": ("RC-29b", 121),
    "max_connection_age_s": ("RC-29c", 61),
    "margin_buffer": ("RC-35", "0.9875"),
}


@pytest.fixture(scope="session")
def verdict_of(
    snapshot: Callable[..., AccountSnapshot],
    intent: Callable[..., Intent],
    limits: Callable[..., RiskLimits],
    known_market: Mapping[str, Any],
) -> Callable[..., Verdict]:
    def decide(scenario: Scenario, rules: Sequence[Rule] = RULES, **widened: Any) -> Verdict:
        (verdict,) = review(
            [intent(**scenario.order)],
            snapshot(**known_market | scenario.account),
            limits(**scenario.limits | widened),
            rules,
        )
        return verdict

    return decide


def test_review_of_an_ordinary_intent_approves_it_whole(snapshot: Any, intent: Any, limits: Any) -> None:
    (verdict,) = review([intent()], snapshot(), limits())
    assert (verdict.outcome, verdict.approved_qty, verdict.reason_codes) == (Outcome.APPROVED, 100, ())
    assert [check.rule_id for check in verdict.checks] == [rule.rule_id for rule in RULES]
    assert (verdict.reference_price, verdict.equity_usd) == (50, 100_000)


@pytest.mark.parametrize("rule", ALONE, ids=lambda rule: rule.rule_id)
def test_rule_when_removed_lets_its_scenario_through(rule: Rule, verdict_of: Any) -> None:
    scenario = SCENARIOS[rule.rule_id]
    stopped = verdict_of(scenario)
    assert stopped.outcome is not Outcome.APPROVED
    assert stopped.reason_codes == (scenario.reason_code,)
    assert verdict_of(scenario, [other for other in RULES if other is not rule]).outcome is Outcome.APPROVED


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_rule_when_flipped_stops_what_is_in_order(
    rule: Rule, snapshot: Any, intent: Any, limits: Any, known_market: Any
) -> None:
    @wraps(rule.function)
    def flipped(*numbers: Any) -> Ruling:
        ruling = rule.function(*numbers)
        return ruling._replace(is_passed=not ruling.is_passed)

    rules = [replace(other, function=flipped) if other is rule else other for other in RULES]
    wide = limits(**SWITCHED_ON)
    assert review([intent()], snapshot(**known_market), wide)[0].outcome is Outcome.APPROVED
    (verdict,) = review([intent()], snapshot(**known_market), wide, rules)
    assert verdict.outcome is Outcome.DENIED


@pytest.mark.parametrize("limit", WIDENED)
def test_limit_when_widened_lets_the_scenario_of_its_rule_through(limit: str, verdict_of: Any) -> None:
    rule_id, value = WIDENED[limit]
    assert verdict_of(SCENARIOS[rule_id]).outcome is not Outcome.APPROVED
    assert verdict_of(SCENARIOS[rule_id], **{limit: value}).outcome is Outcome.APPROVED


def test_rule_ids_of_the_catalogue_are_unique_and_in_order() -> None:
    ids = [rule.rule_id for rule in RULES]
    assert ids == sorted(set(ids))


def test_reduction_names_only_the_caps_that_set_the_quantity(snapshot: Any, intent: Any, limits: Any) -> None:
    book = snapshot(positions={"AAA": 150})
    (verdict,) = review([intent(qty=300)], book, limits())
    assert (verdict.outcome, verdict.approved_qty) == (Outcome.REDUCED, 50)
    assert verdict.reason_codes == (ReasonCode.POSITION_EXCEEDS_LIMIT,)
    failed = {check.rule_id: check.allowed_qty for check in verdict.checks if not check.is_passed}
    assert failed == {"RC-14": 200, "RC-21": 50}


def test_reduction_to_one_share_is_approved(snapshot: Any, intent: Any, limits: Any) -> None:
    (verdict,) = review([intent(qty=10)], snapshot(positions={"AAA": 199}), limits())
    assert (verdict.outcome, verdict.approved_qty) == (Outcome.REDUCED, 1)


def test_orders_of_one_symbol_and_moment_add_up_to_its_caps(snapshot: Any, intent: Any, limits: Any) -> None:
    book = snapshot(positions={"AAA": 50, "BBB": 1_400})
    buys = [intent(qty=100, intent_id=name) for name in ("00", "01", "02")]
    verdicts = review(buys, book, limits(max_position="0.5"))
    assert [v.approved_qty for v in verdicts] == [100, 50, 0]
    assert verdicts[1].reason_codes == (ReasonCode.GROSS_EXPOSURE_EXCEEDS_LIMIT,)


def test_reduction_below_one_share_is_a_denial_with_its_caps(snapshot: Any, intent: Any, limits: Any) -> None:
    (verdict,) = review([intent(qty=10)], snapshot(positions={"AAA": "199.5"}), limits())
    assert (verdict.outcome, verdict.approved_qty) == (Outcome.DENIED, 0)
    assert verdict.reason_codes == (ReasonCode.POSITION_EXCEEDS_LIMIT,)


def test_failed_rule_that_allows_everything_contradicts_itself_and_denies(
    snapshot: Any, intent: Any, limits: Any
) -> None:
    def contradict() -> Ruling:
        return Ruling(False, 0, 0, 100)

    rule = Rule("RC-99", "contradiction", contradict, ReasonCode.QUANTITY_INVALID, FLAG)
    (verdict,) = review([intent()], snapshot(), limits(), [rule])
    assert (verdict.outcome, verdict.approved_qty) == (Outcome.DENIED, 0)


def test_review_decides_sells_first_then_by_strategy_and_symbol(snapshot: Any, intent: Any, limits: Any) -> None:
    places = [
        (Side.BUY, "beta", "AAA"),
        (Side.BUY, "alpha", "BBB"),
        (Side.SELL, "beta", "BBB"),
        (Side.BUY, "alpha", "AAA"),
    ]
    intents = [intent(side=side, strategy=strategy, symbol=symbol) for side, strategy, symbol in places]
    order = [places[2], places[3], places[1], places[0]]
    for given_intents in (intents, intents[::-1]):
        verdicts = review(given_intents, snapshot(), limits())
        assert [(v.intent.side, v.intent.strategy, v.intent.symbol) for v in verdicts] == order


def test_sell_approved_earlier_gives_no_cash_to_a_buy_of_the_same_moment(
    snapshot: Any, intent: Any, limits: Any
) -> None:
    book = snapshot(positions={"BBB": 200}, cash_usd=5_000)
    sell, buy = review([intent(symbol="BBB", side=Side.SELL, qty=200), intent()], book, limits())
    assert sell.outcome is Outcome.APPROVED
    assert buy.reason_codes == (ReasonCode.BUYING_POWER_INSUFFICIENT,)


def test_second_sell_of_the_same_shares_is_denied(snapshot: Any, intent: Any, limits: Any) -> None:
    sells = [intent(side=Side.SELL, intent_id=name) for name in ("00", "01")]
    first, second = review(sells, snapshot(positions={"AAA": 100}), limits())
    assert (first.outcome, second.outcome) == (Outcome.APPROVED, Outcome.DENIED)
    assert second.reason_codes == (ReasonCode.SHORT_SALE_DISABLED,)


def test_cover_of_a_short_takes_no_buying_power_from_the_next_buy(snapshot: Any, intent: Any, limits: Any) -> None:
    # The buffer of 5,000, the short's reserve of 10,000 and 5,200 for BBB.
    book = snapshot(positions={"AAA": -100}, cash_usd=20_200)
    verdicts = review([intent(), intent(symbol="BBB")], book, limits())
    assert [v.outcome for v in verdicts] == [Outcome.APPROVED, Outcome.APPROVED]


def test_flip_of_a_position_passes_as_close_and_open_when_shorts_are_allowed(
    snapshot: Any, intent: Any, limits: Any
) -> None:
    legs = [intent(side=Side.SELL, qty=100, leg=leg, intent_id=str(1 - leg)) for leg in (1, 0)]
    verdicts = review(legs, snapshot(positions={"AAA": 100}), limits(allow_short=True))
    assert [(v.intent.leg, v.outcome) for v in verdicts] == [(0, Outcome.APPROVED), (1, Outcome.APPROVED)]
    reducing = snapshot(positions={"AAA": 100}, trading_state=TradingState.REDUCING)
    verdicts = review(legs, reducing, limits(allow_short=True))
    assert [v.outcome for v in verdicts] == [Outcome.APPROVED, Outcome.DENIED]


def fifty(intent: Callable[..., Intent], snapshot: Callable[..., AccountSnapshot], cash: int) -> Any:
    symbols = [f"S{number:02}" for number in range(50)]
    book = snapshot(
        cash_usd=cash,
        reference_prices=dict.fromkeys(symbols, 50),
        marks=dict.fromkeys(symbols, 50),
        gates=dict.fromkeys(symbols, "open"),
    )
    return [intent(symbol=symbol, qty=40, intent_id=symbol) for symbol in symbols], book


@pytest.mark.parametrize(
    ("cash", "approved", "reason_code"),
    [
        (100_000, 40, ReasonCode.GROSS_EXPOSURE_EXCEEDS_LIMIT),  # 40 x 2,000 are 80 % of equity
        (67_400, 30, ReasonCode.BUYING_POWER_INSUFFICIENT),  # 30 x 2,080 and the buffer of 5,000
    ],
)
def test_fifty_intents_that_fit_one_by_one_pass_only_as_far_as_they_fit_together(
    cash: int, approved: int, reason_code: ReasonCode, snapshot: Any, intent: Any, limits: Any
) -> None:
    intents, book = fifty(intent, snapshot, cash)
    assert all(review([one], book, limits())[0].outcome is Outcome.APPROVED for one in intents)
    verdicts = review(reversed(intents), book, limits())
    assert [v.outcome for v in verdicts] == [Outcome.APPROVED] * approved + [Outcome.DENIED] * (50 - approved)
    assert {v.reason_codes for v in verdicts[approved:]} == {(reason_code,)}


SYMBOLS, STRATEGIES = ("AAA", "BBB", "CCC"), ("alpha", "beta")
SHARES = st.integers(0, 400).map(Decimal)
PRICE = st.decimals("0.5", 500, places=2)


@st.composite
def moments(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A random long-only account, solvent or not, and up to twelve orders of two strategies in three symbols."""
    prices = {symbol: draw(PRICE) for symbol in SYMBOLS}
    owned = {(strategy, symbol): draw(SHARES) for strategy in STRATEGIES for symbol in SYMBOLS}
    selling = {key: draw(st.integers(0, int(qty)).map(Decimal)) for key, qty in owned.items()}
    buying = {key: draw(SHARES) for key in owned}

    def by_symbol(shares: dict[tuple[str, str], Decimal]) -> dict[str, Decimal]:
        return {symbol: sum(shares[strategy, symbol] for strategy in STRATEGIES) for symbol in SYMBOLS}

    account = {
        "cash_usd": draw(st.decimals(-10_000, 200_000, places=2)),
        "equity_usd": Decimal(100_000),
        "positions": by_symbol(owned),
        "strategy_positions": owned,
        "working_buys": by_symbol(buying),
        "working_sells": by_symbol(selling),
        "strategy_working_buys": buying,
        "strategy_working_sells": selling,
        "working_buy_value_usd": sum(qty * prices[symbol] * Decimal("1.04") for (_, symbol), qty in buying.items()),
        "reference_prices": prices,
        "marks": prices,
        "gates": dict.fromkeys(SYMBOLS, "open"),
        "trading_state": draw(st.sampled_from([TradingState.ACTIVE, TradingState.REDUCING])),
    }
    order = st.fixed_dictionaries(
        {
            "symbol": st.sampled_from(SYMBOLS),
            "strategy": st.sampled_from(STRATEGIES),
            "side": st.sampled_from(Side),
            "qty": st.integers(1, 12_000),
        }
    )
    orders = draw(st.lists(order, max_size=12))
    return account, [{**order, "intent_id": f"{number:02}"} for number, order in enumerate(orders)]


@settings(max_examples=200)
@given(moment=moments())
def test_approvals_of_a_random_moment_stay_within_every_cap_together(
    moment: Any, snapshot: Any, intent: Any, limits: Any
) -> None:
    account, orders = moment
    book, caps = snapshot(**account), limits()
    verdicts = review([intent(**order) for order in orders], book, caps)
    assert len(verdicts) == len(orders)

    bought, sold = defaultdict(Decimal), defaultdict(Decimal)
    for verdict in verdicts:
        assert verdict.approved_qty % 1 == 0
        assert 0 <= verdict.approved_qty <= verdict.intent.qty
        assert (verdict.outcome is Outcome.APPROVED) == (not verdict.reason_codes)
        if verdict.intent.side is Side.BUY:
            bought[verdict.intent.symbol] += verdict.approved_qty
        else:
            sold[verdict.intent.strategy, verdict.intent.symbol] += verdict.approved_qty

    for key, qty in sold.items():
        assert qty <= book.strategy_positions[key] - book.strategy_working_sells[key]
    if not any(bought.values()):
        return
    assert book.trading_state is TradingState.ACTIVE
    longest = {symbol: book.positions[symbol] + book.working_buys[symbol] + bought[symbol] for symbol in SYMBOLS}
    values = {symbol: longest[symbol] * book.reference_prices[symbol] for symbol in SYMBOLS}
    for symbol in SYMBOLS:
        assert not bought[symbol] or values[symbol] <= caps.max_position * book.equity_usd
    assert sum(values.values()) <= caps.max_gross_exposure * book.equity_usd
    cost = sum(qty * book.reference_prices[symbol] * Decimal("1.04") for symbol, qty in bought.items())
    assert book.working_buy_value_usd + cost <= book.cash_usd - caps.cash_buffer * book.equity_usd


@settings(max_examples=100)
@given(moment=moments())
def test_review_of_what_was_approved_approves_it_again(moment: Any, snapshot: Any, intent: Any, limits: Any) -> None:
    account, orders = moment
    book = snapshot(**account)
    verdicts = review([intent(**order) for order in orders], book, limits())
    approved = [replace(v.intent, qty=v.approved_qty) for v in verdicts if v.outcome is not Outcome.DENIED]
    again = review(approved, book, limits())
    assert [v.outcome for v in again] == [Outcome.APPROVED] * len(approved)
