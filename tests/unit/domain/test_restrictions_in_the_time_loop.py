"""Trading states, configured breakers and protections as the time loop lives through them, day by day."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.orders import OrderStatus
from trading_assets.domain.journal import BreakerEvent, BreakerState, Journal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.risk.breakers import Breaker, BreakerAction, BreakerRule
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.protections import Protection, ProtectionKind
from trading_assets.domain.risk.regime import Regime
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.risk.trading_states import EVERY_ACCOUNT, Command, Scope, StateChange, states_of
from trading_assets.domain.risk.verdicts import TradingState
from trading_assets.domain.simulation import OPERATOR, Account, Moment, Rules, open_book, walk
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.tape import Tape
from trading_assets.domain.values import Side
from trading_assets.settings import RiskSettings

D = Decimal
IBM_TRADES = always_tradable(["IBM"])
DAYS = sessions_between(date(2012, 6, 1), date(2012, 8, 31))
LOOSE = RiskSettings(
    max_order_qty=100_000, max_order_notional=1, max_position=1, max_gross_exposure=1, cash_buffer=0,
    stop_new_daily_loss=0.9, stop_all_daily_loss=0.9, stop_all_drawdown=0.9,
)  # fmt: skip
RULES = Rules(RiskLimits.of(LOOSE.limits()), FillModel(slippage_bps=D(0), volume_limit=D(1)))


def bar(day: int, opened: str, closed: str, symbol: str = "IBM") -> Bar:
    trading = session(DAYS[day])
    high, low = max(D(opened), D(closed)), min(D(opened), D(closed))
    return Bar(symbol, trading.opens_at, trading.closes_at, DAYS[day], D(opened), high, low, D(closed), D(1_000_000))


def moments(
    wanted: Sequence[str], prices: Sequence[str] | None = None, changes: Sequence[StateChange] = ()
) -> list[Moment]:
    """One a session: strategy s wants that weight of IBM, whose open and close are the price."""
    lived = []
    for day, weight in enumerate(wanted):
        price = (prices or ["100"] * len(wanted))[day]
        one, trading = bar(day, price, price), session(DAYS[day])
        target = Target("s", "1", "IBM", trading.closes_at, DAYS[day], D(weight))
        states, opening = (states_of(changes, "acc", at) for at in (trading.closes_at, trading.opens_at))
        facts = {"gates": {"IBM": "open"}, "states": states, "opening_states": opening, "standings": IBM_TRADES}
        lived.append(Moment(trading.closes_at, trading, [one], [], [target], **facts))
    return lived


def lived(given: Sequence[Moment], rules: Rules = RULES) -> tuple[Account, Journal]:
    account, journal = open_book("acc", D(100_000), given[0].session)
    walk(account, given, rules, {}, (), journal)
    return account, journal


def ordered(
    command: Command, day: int, no: int = 1, scope: Scope = Scope.ACCOUNT, subject: str = EVERY_ACCOUNT
) -> StateChange:
    at = session(DAYS[day]).closes_at
    return StateChange(no, scope, subject, command.state, command is Command.FLATTEN, at, "Ada", "because")


def decided(journal: Journal) -> list[tuple[int, str, str]]:
    return [
        (DAYS.index(one.intent.session_date), one.intent.purpose.value, one.outcome.value) for one in journal.verdicts
    ]


# Trading states -----------------------------------------------------------------------------------

WANTED = ["0.2", "0.4", "0.1", "0", "0.3"]


def test_halt_denies_everything_from_its_time_on_until_it_is_resumed() -> None:
    changes = [ordered(Command.HALT, 1), ordered(Command.RESUME, 3, no=2)]
    _, journal = lived(moments(WANTED, changes=changes))
    assert decided(journal) == [
        (0, "open", "approved"),
        (1, "increase", "denied"),
        (2, "reduce", "denied"),
        (3, "close", "approved"),
        (4, "open", "approved"),
    ]


def test_reduce_lets_only_what_reduces_through() -> None:
    _, journal = lived(moments(WANTED, changes=[ordered(Command.REDUCE, 1, scope=Scope.SYMBOL, subject="IBM")]))
    assert [outcome for _, _, outcome in decided(journal)] == ["approved", "denied", "approved", "approved", "denied"]


@pytest.mark.parametrize("scope", [(Scope.ACCOUNT, EVERY_ACCOUNT), (Scope.STRATEGY, "s"), (Scope.SYMBOL, "IBM")])
def test_flatten_closes_what_is_held_as_the_operators_and_asks_no_strategy(scope: tuple[Scope, str]) -> None:
    flatten = ordered(Command.FLATTEN, 2, scope=scope[0], subject=scope[1])
    account, journal = lived(moments(["0.2", "0.2", "0.2", "0.4", "0.4"], changes=[flatten]))
    assert decided(journal) == [(0, "open", "approved"), (2, "flatten", "approved")]
    assert journal.verdicts[-1].intent.strategy_version == OPERATOR
    assert account.book.quantity_of("IBM") == 0


def test_flatten_goes_through_a_halt_and_leaves_other_scopes_alone() -> None:
    changes = [ordered(Command.HALT, 1), ordered(Command.FLATTEN, 2, no=2, scope=Scope.STRATEGY, subject="other")]
    _, untouched = lived(moments(["0.2"] * 4, changes=changes))
    assert decided(untouched) == [(0, "open", "approved")]
    changes[1] = ordered(Command.FLATTEN, 2, no=2, scope=Scope.STRATEGY, subject="s")
    account, journal = lived(moments(["0.2"] * 4, changes=changes))
    assert decided(journal)[-1] == (2, "flatten", "approved")
    assert account.book.quantity_of("IBM") == 0


# Working orders -----------------------------------------------------------------------------------


def overnight(command: Command, day: int) -> StateChange:
    """Ordered in the evening of that session."""
    change = ordered(command, day)
    return replace(change, at=change.at + timedelta(hours=3))


def ends(journal: Journal) -> list[tuple[int, str, str]]:
    """The session, status and reason of every end of an order that did not execute."""
    unfilled = {OrderStatus.CANCELED, OrderStatus.EXPIRED}
    return [
        (DAYS.index(one.session_date), one.status, one.detail) for one in journal.order_events if one.status in unfilled
    ]


@pytest.mark.parametrize("command", [Command.HALT, Command.REDUCE])
@pytest.mark.parametrize(("wanted", "held", "goes"), [(["0.2", "0.4"], 200, True), (["0.2", "0.1"], 100, False)])
def test_state_of_the_evening_cancels_what_would_open_in_the_morning(
    command: Command, wanted: list[str], held: int, goes: bool
) -> None:
    account, journal = lived(moments([*wanted, wanted[1]], changes=[overnight(command, 1)]))
    reason = f"trading is {command.state}"
    assert ends(journal) == ([(2, OrderStatus.CANCELED, reason)] if goes else [])
    cancelled = [one.at for one in journal.order_events if one.detail == reason]
    assert cancelled == ([session(DAYS[2]).opens_at] if goes else [])
    assert (account.book.quantity_of("IBM"), account.working) == (held, {})


def test_state_in_the_middle_of_a_bar_loses_the_race_and_ends_what_is_left() -> None:
    """A tenth of the order executes at the open; the halt comes at noon."""
    thin = replace(RULES, fill_model=FillModel(slippage_bps=D(0), volume_limit=D("0.00002")))
    noon = replace(ordered(Command.HALT, 1), at=session(DAYS[1]).opens_at + timedelta(hours=2))
    given = moments(["0.2", "0.2"], changes=[noon])
    given[1] = replace(given[1], at=given[1].at - timedelta(hours=1))
    account, journal = lived(given, thin)
    assert account.book.quantity_of("IBM") == 20
    assert ends(journal) == [(1, OrderStatus.CANCELED, "trading is halted")]


PROTECTED = replace(RULES, exits={"s": ExitPlan(stop_loss=D("0.05"))})


@pytest.mark.parametrize("command", [Command.HALT, Command.REDUCE])
def test_stop_protects_on_under_a_state_that_leaves_the_position(command: Command) -> None:
    prices = ["100", "100", "100", "90"]
    account, journal = lived(moments(["0.2"] * 4, prices, [overnight(command, 1)]), PROTECTED)
    assert ends(journal) == []
    assert account.book.quantity_of("IBM") == 0
    assert journal.fills[-1].price == 90


def test_flatten_leaves_the_stop_until_the_closing_order_takes_its_place() -> None:
    given = moments(["0.2"] * 4, changes=[overnight(Command.FLATTEN, 1)])
    _, stopped = lived(moments(["0.2"] * 3, ["100", "100", "90"], [overnight(Command.FLATTEN, 1)]), PROTECTED)
    assert stopped.fills[-1].price == 90
    account, journal = lived(given, PROTECTED)
    assert ends(journal) == [(2, OrderStatus.CANCELED, "what is held is closed")]
    assert decided(journal)[-1] == (2, "flatten", "approved")
    assert (account.book.quantity_of("IBM"), account.working) == (0, {})


def test_flatten_closes_at_a_bar_close_at_which_no_strategy_decides() -> None:
    given = moments(["0.2"] * 5, changes=[ordered(Command.FLATTEN, 2)])
    given[2:] = [replace(one, targets=[]) for one in given[2:]]
    account, journal = lived(given)
    assert decided(journal) == [(0, "open", "approved"), (2, "flatten", "approved")]
    assert account.book.quantity_of("IBM") == 0


def test_breaker_that_halts_cancels_what_would_open() -> None:
    given = [
        replace(one, regime=Regime(volatility=0.5 if day == 1 else 0.1))
        for day, one in enumerate(moments(["0.2", "0.4", "0.4"]))
    ]
    thin = replace(RULES, fill_model=FillModel(slippage_bps=D(0), volume_limit=D("0.00002")))
    given[1] = replace(given[1], at=given[1].at - timedelta(hours=1))
    rules = replace(thin, breakers={"volatility": BreakerRule(0.3, 20, BreakerAction.HALT)})
    account, journal = lived(given, rules)
    assert ends(journal) == [(1, OrderStatus.CANCELED, "trading is halted")]
    assert account.book.quantity_of("IBM") == 20


@pytest.mark.parametrize(
    ("stop", "status"),
    [("stop_all_daily_loss", "CANCELED"), ("stop_all_drawdown", "CANCELED"), (None, "PARTIALLY_FILLED")],
)
def test_stop_all_cancels_what_would_open_and_keeps_the_stop(stop: str | None, status: str) -> None:
    """Twenty shares execute at the open of 100, which is 45 at an early close."""
    limits = RiskLimits.of({**LOOSE.limits(), **({stop: 0.01, "stop_new_daily_loss": 0.01} if stop else {})})
    thin = FillModel(slippage_bps=D(0), volume_limit=D("0.00002"))
    given = moments(["0.2", "0.4"])
    given[1] = replace(given[1], at=given[1].at - timedelta(hours=1), bars=[bar(1, "100", "45")])
    exits = {"s": ExitPlan(stop_loss=D("0.9"))}
    account, journal = lived(given, Rules(limits, thin, exits))
    entry = journal.orders[0].client_order_id
    assert account.book.quantity_of("IBM") == 20
    assert [one.status for one in journal.order_events if one.client_order_id == entry][-1].name == status
    assert ends(journal) == ([(1, OrderStatus.CANCELED, "trading is reducing")] if stop else [])
    assert [one.order.is_leg for one in account.working.values()] == ([True] if stop else [False, True, False, True])


# Breakers -----------------------------------------------------------------------------------------

LOSING = ["0.2", "0"] * 3 + ["0.2", "0.2"]
FALLING = ["100", "100", "90", "90", "80", "80", "70", "70"]


def with_breaker(name: Breaker, rule: BreakerRule) -> Rules:
    return replace(RULES, breakers={name.value: rule})


def events(journal: Journal) -> list[tuple[int, str]]:
    return [(DAYS.index(one.session_date), one.state.value) for one in journal.breaker_events]


def test_consecutive_losses_trip_and_stop_openings() -> None:
    _, journal = lived(moments(LOSING, FALLING), with_breaker(Breaker.CONSECUTIVE_LOSSES, BreakerRule(2)))
    # Bought at the open after an even session, sold at that after an odd one, each time for 10 USD less.
    assert events(journal) == [(4, "tripped")]
    assert (4, "open", "denied") in decided(journal)
    cause = journal.breaker_events[0].cause
    assert (cause["value"], cause["limit"], cause["action"]) == ("2", "2", "reduce")
    assert Decimal(cause["equity_usd"]) < 100_000


def test_cleared_breaker_counts_only_the_losses_after_it() -> None:
    given = moments(["0.2", "0"] * 5, ["100", "100", "90", "90", "80", "80", "70", "70", "60", "60"])
    at = given[5].at
    cleared = BreakerEvent("acc", "consecutive_losses", 2, BreakerState.CLEARED, at, DAYS[5], {}, "Ada", "understood")
    given[5] = replace(given[5], clearances=[cleared])
    _, journal = lived(given, with_breaker(Breaker.CONSECUTIVE_LOSSES, BreakerRule(2)))
    assert events(journal) == [(4, "tripped"), (5, "cleared")]
    assert (6, "open", "approved") in decided(journal)


@pytest.mark.parametrize(
    ("action", "state", "held"),
    [
        (BreakerAction.REDUCE, TradingState.REDUCING, 200),
        (BreakerAction.HALT, TradingState.HALTED, 200),
        (BreakerAction.FLATTEN, TradingState.REDUCING, 0),
    ],
)
def test_tripped_breaker_does_what_it_is_configured_to(action: BreakerAction, state: TradingState, held: int) -> None:
    given = [
        replace(one, regime=Regime(volatility=0.5 if day == 2 else 0.1)) for day, one in enumerate(moments(["0.2"] * 6))
    ]
    account, journal = lived(given, with_breaker(Breaker.VOLATILITY, BreakerRule(0.3, 20, action)))
    assert events(journal) == [(2, "tripped")]
    assert (account.states.account, account.book.quantity_of("IBM")) == (state, held)


def test_breaker_with_a_time_rule_clears_when_its_sessions_are_over() -> None:
    given = [
        replace(one, regime=Regime(correlation=0.9 if day == 1 else 0.1))
        for day, one in enumerate(moments(["0.2"] * 6))
    ]
    rule = BreakerRule(0.8, 60, clears_after_sessions=3)
    _, journal = lived(given, with_breaker(Breaker.CORRELATION, rule))
    assert events(journal) == [(1, "tripped"), (4, "cleared")]


def test_data_outage_is_about_what_is_held_at_the_sessions_close() -> None:
    given = moments(["0.2"] * 4)
    given[1:3] = [replace(one, bars=[], targets=[]) for one in given[1:3]]
    _, without = lived(given[:2], with_breaker(Breaker.DATA_OUTAGE, BreakerRule(0.5)))
    assert events(without) == []
    held = [*moments(["0.2"] * 2), *given[2:]]
    _, journal = lived(held, with_breaker(Breaker.DATA_OUTAGE, BreakerRule(0.5)))
    assert events(journal) == [(2, "tripped")]


# Regime -------------------------------------------------------------------------------------------


def tape(prices: Mapping[str, Sequence[float]], actions: Mapping[date, Collection[CorporateAction]]) -> Tape:
    bars = {
        (DAYS[day], session(DAYS[day]).closes_at): [
            bar(day, f"{of[day]}", f"{of[day]}", name) for name, of in prices.items()
        ]
        for day in range(len(next(iter(prices.values()))))
    }
    return Tape(bars, {day: list(each) for day, each in actions.items()}, {})


WAVE = [100.0 + 5 * (day % 2) for day in range(50)]
BREAKERS = {"volatility": BreakerRule(0.3, 20), "correlation": BreakerRule(0.8, 30)}


def regimes(of: Tape, breakers: Mapping[str, BreakerRule] = BREAKERS, first: int = 40) -> list[Regime]:
    moments = of.moments([], DAYS[first], DAYS[49], session(DAYS[49]).closes_at + timedelta(days=1), breakers)
    return [moment.regime for moment in moments]


def test_regime_of_a_moment_comes_from_the_tape_up_to_it() -> None:
    whole = tape({"AAA": WAVE, "BBB": WAVE}, {})
    later = tape({"AAA": WAVE, "BBB": [*WAVE[:45], *[500.0] * 5]}, {})
    assert regimes(whole)[:5] == regimes(later)[:5] != regimes(later)[5:]
    assert regimes(whole)[0].correlation == pytest.approx(1)
    assert regimes(whole, {}) == [Regime()] * 10


def test_regime_does_not_take_a_split_for_a_move() -> None:
    split = CorporateAction("AAA", DAYS[30], ActionKind.SPLIT, split_ratio=D(2))
    halved = [price / 2 if day >= 30 else price for day, price in enumerate(WAVE)]
    assert regimes(tape({"AAA": halved}, {DAYS[30]: [split]})) == regimes(tape({"AAA": WAVE}, {}))


# Protections --------------------------------------------------------------------------------------


def test_cooldown_keeps_the_strategy_out_for_its_bars() -> None:
    rules = replace(RULES, protections=(Protection(ProtectionKind.COOLDOWN, stop_bars=2),))
    _, journal = lived(moments(["0.2", "0", "0.2", "0.2", "0.2", "0.2"]), rules)
    # Sold in session 2: locked at its close and at that of session 3.
    assert decided(journal) == [
        (0, "open", "approved"), (1, "close", "approved"),
        (2, "open", "denied"), (3, "open", "denied"), (4, "open", "approved"),
    ]  # fmt: skip


def test_stop_outs_are_known_by_the_order_that_closed() -> None:
    guard = Protection(ProtectionKind.STOPLOSS_GUARD, stop_bars=3, lookback_bars=5, trade_limit=1)
    rules = replace(RULES, protections=(guard,), exits={"s": ExitPlan(stop_loss=D("0.05"))})
    prices = ["100", "100", "90", "90", "90", "90", "90"]
    account, journal = lived(moments(["0.2"] * 7, prices), rules)
    (stopped,) = account.book.trades[:1]
    assert (stopped.side, stopped.pnl_usd, stopped.closed_by in account.stop_orders) == (Side.BUY, D(-2000), True)
    assert [outcome for _, _, outcome in decided(journal)] == ["approved", "denied", "denied", "denied", "approved"]
