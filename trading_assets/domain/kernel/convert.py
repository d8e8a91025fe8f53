"""From moments, rules and target weights to the arrays of the compiled loop, to the last digit or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from trading_assets.domain.execution.fees import FINRA_TAF, SEC_SECTION_31
from trading_assets.domain.kernel import rows
from trading_assets.domain.kernel.arrays import (
    ACTION_COLUMNS,
    BILLION,
    DIVIDEND,
    FEE_COLUMNS,
    MILLION,
    NO_TARGET,
    PRICE_STEP,
    SHORT_COLUMNS,
    SHORT_IS_EASY,
    SHORT_IS_SHORTABLE,
    SHORT_LOWEST,
    SHORT_PREVIOUS_CLOSE,
    SPLIT,
    UNKNOWN,
    Ints,
    Market,
    NotRepresentableError,
    Terms,
    Wants,
)
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import Session
from trading_assets.domain.risk.margin_rules import day_trading_rule
from trading_assets.domain.risk.standings import NO_STANDINGS, Condition, Standings
from trading_assets.domain.risk.trading_states import ALL_ACTIVE
from trading_assets.domain.simulation import SIMULATED, Moment, Rules
from trading_assets.domain.strategy.targets import weight_of

_KINDS = {ActionKind.CASH_DIVIDEND: DIVIDEND, ActionKind.SPLIT: SPLIT, ActionKind.STOCK_DIVIDEND: SPLIT}
_MOST_PRICE = 2**40
"""About a million dollars a share."""
_ROOM_FOR_SUMS = 2**62 // 256


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """The moments of some sessions as arrays: `market` has one column a symbol, one row a moment or session."""

    symbols: Sequence[str]
    ends: Sequence[datetime]
    sessions: Sequence[Session]
    market: Market
    standings: Standings

    def begin_of(self, moment: int) -> datetime:
        """The start of the moment's bars, UTC."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(self.market.starts[moment]))

    def between(self, first: date, last: date) -> Stretch:
        """The part that the sessions first..last are, without a copy of its prices."""
        days = self.market.days
        begin, end = np.searchsorted(days, [first.toordinal(), last.toordinal() + 1])
        since, until = np.searchsorted(self.market.session, [begin, end])
        per_moment = ("starts", "ends", "closes_session", "open", "close", "volume", "shorts")
        moments = {name: getattr(self.market, name)[since:until] for name in per_moment}
        of_session = {name: getattr(self.market, name)[begin:end] for name in ("days", "gates", "fees", "least_equity")}
        market = self.market._replace(
            **moments,
            **of_session,
            session=self.market.session[since:until] - begin,
            first_action=self.market.first_action[begin : end + 1],
        )
        return replace(self, ends=self.ends[since:until], sessions=self.sessions[begin:end], market=market)


def stretch_of(moments: Sequence[Moment], *, with_shorts: bool = False) -> Stretch:
    """The moments as arrays; `with_shorts` they say what a short sale is asked about.

    Raises NotRepresentableError for bars, actions or breakers that the compiled loop cannot express.
    """
    symbols = sorted({bar.symbol for moment in moments for bar in moment.bars})
    column = {symbol: number for number, symbol in enumerate(symbols)}
    sessions, firsts = _sessions(moments)
    shape = len(moments), len(symbols)
    opened, closed, volume = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    starts, ends = [], []
    for row, moment in enumerate(moments):
        begun = {bar.ts for bar in moment.bars}
        if len(begun) > 1:
            raise NotRepresentableError(f"at {moment.at} bars of several lengths end")
        if moment.clearances or any(one != ALL_ACTIVE for one in (moment.opening_states, moment.states)):
            raise NotRepresentableError(f"a person intervened before {moment.at}")
        starts.append(next(iter(begun), moment.at))
        ends.append(moment.at)
        for bar in moment.bars:
            at = row, column[bar.symbol]
            opened[at], closed[at] = scaled(bar.open, MILLION, "price"), scaled(bar.close, MILLION, "price")
            volume[at] = scaled(bar.volume, 1, "volume")
    number = {trading.date: index for index, trading in enumerate(sessions)}
    highest = np.maximum(opened.max(axis=0, initial=PRICE_STEP), closed.max(axis=0, initial=PRICE_STEP))
    is_wrong = [(prices < PRICE_STEP) & (prices != 0) for prices in (opened, closed)]
    if highest.max(initial=0) > _MOST_PRICE or np.any(is_wrong):
        raise NotRepresentableError("a price is below a hundredth of a cent, or above a million USD")
    actions = [_actions_of(moment.actions, column) for moment in firsts]
    market = Market(
        starts=_microseconds(starts),
        ends=_microseconds(ends),
        session=np.array([number[moment.session.date] for moment in moments], dtype=np.int64),
        closes_session=np.array([moment.closes_session for moment in moments], dtype=np.bool_),
        open=opened,
        close=closed,
        volume=volume,
        days=np.array([trading.date.toordinal() for trading in sessions], dtype=np.int64),
        gates=_gates(firsts, symbols),
        fees=np.array([_fees(trading.date) for trading in sessions], dtype=np.int64).reshape(-1, FEE_COLUMNS),
        least_equity=np.array(
            [day_trading_rule(one.date).min_equity_usd * MILLION for one in sessions], dtype=np.int64
        ),
        first_action=np.cumsum([0, *map(len, actions)], dtype=np.int64),
        actions=np.array([row for each in actions for row in each], dtype=np.int64).reshape(-1, ACTION_COLUMNS),
        most_shares=_ROOM_FOR_SUMS // (max(len(symbols), 1) * highest.astype(np.int64)),
        shorts=_shorts(moments if with_shorts else [], symbols),
    )
    if not (np.diff(market.ends) >= rows.LEAST_STEP_S * MILLION).all():
        raise NotRepresentableError("two moments are too close to each other, or not in order")
    return Stretch(symbols, ends, sessions, market, _standings(moments))


def terms_of(rules: Rules) -> Terms:
    """Raises NotRepresentableError for what the compiled loop does not do: `ensure_representable`."""
    ensure_representable(rules)
    limits = rules.limits
    ratios = {name: scaled(getattr(limits, name), MILLION, f"risk.{name}") for name in _RATIOS}
    return Terms(
        **ratios,
        max_order_qty=min(limits.max_order_qty, 2**40),
        allow_short=limits.allow_short,
        slippage=scaled(rules.fill_model.slippage_bps, 100, "broker.slippage_bps"),
        volume_limit=scaled(rules.fill_model.volume_limit, MILLION, "broker.volume_limit"),
    )


# What is a strategy's own counts only where a limit asks for it.
_READ = {"limits", "fill_model", "capital", "broker", "is_margin_account", "timeframes"}


def ensure_representable(rules: Rules) -> None:
    """Raises NotRepresentableError for what needs the object loop: an exit, a breaker, a limit that is not compiled."""
    for part in fields(rules):
        if part.name not in _READ and getattr(rules, part.name):
            raise NotRepresentableError(f"the compiled loop does without {part.name}, which are set")
    if rules.broker != SIMULATED or not rules.is_margin_account:
        raise NotRepresentableError("the compiled loop knows simulated margin accounts only")
    if unasked := rows.unasked(rules.limits):
        raise NotRepresentableError(f"the compiled loop does not ask {unasked[0]}, which can deny an order")


_RATIOS = (
    "max_order_notional",
    "max_position",
    "max_gross_exposure",
    "cash_buffer",
    "stop_new_daily_loss",
    "stop_all_daily_loss",
    "stop_all_drawdown",
    "rebalance_band",
    "margin_buffer",
)


def wants_of(
    stretch: Stretch,
    strategies: Sequence[str],
    of: Sequence[str],
    symbols: Sequence[str],
    decided: Iterable[datetime],
    weights: Ints,
) -> Wants:
    """Rows of (strategy in `of`, symbol, decision time, weight in 1e-9) as an array over the moments of `stretch`.

    Raises NotRepresentableError for a decision where no bar ends, about a symbol without bars or one that could not be
    traded at the time, or taken twice.
    """
    row_of = {name: number for number, name in enumerate(sorted(strategies))}
    columns = {symbol: number for number, symbol in enumerate(stretch.symbols)}
    moments = {at: number for number, at in enumerate(stretch.ends)}
    filled = np.full((len(moments), len(row_of), len(columns)), NO_TARGET, dtype=np.int32)
    try:
        at = np.array([moments[one] for one in decided], dtype=np.intp)
        strategy = np.array([row_of[one] for one in of], dtype=np.intp)
        symbol = np.array([columns[one] for one in symbols], dtype=np.intp)
    except KeyError as unknown:
        raise NotRepresentableError(f"{unknown.args[0]} is decided upon, and has no bar there") from None
    filled[at, strategy, symbol] = weights
    is_wanted = filled != NO_TARGET
    if np.count_nonzero(is_wanted) != len(weights):
        raise NotRepresentableError("a strategy decides twice about one symbol at one moment")
    for number, name in enumerate(stretch.symbols):
        rows_of = np.flatnonzero(is_wanted[:, :, number].any(axis=1))
        if rows_of.size and not stretch.standings.are_ordinary(
            [name], stretch.ends[rows_of[0]], stretch.ends[rows_of[-1]]
        ):
            raise NotRepresentableError(f"{name} is not listed and tradable at every decision")
    return Wants(filled, is_wanted.any(axis=(1, 2)))


def billionths(weights: npt.NDArray[np.float64]) -> Ints:
    """`weight_of` of each, in 1e-9. Raises NotRepresentableError for a weight that is none."""
    if not (np.abs(weights) <= 1).all():
        raise NotRepresentableError("a target weight is missing, or beyond the whole of equity")
    nearest = np.rint(weights * BILLION)
    # Where a weight is no decimal of nine places, it is cut off; near to one it is a matter of its shortest decimal.
    whole = np.where(nearest / BILLION == weights, nearest, np.trunc(weights * BILLION)).astype(np.int64)
    close = (nearest / BILLION != weights) & (np.abs(weights * BILLION - nearest) < 1e-3)
    for row in np.flatnonzero(close):
        whole[row] = scaled(weight_of(float(weights[row])), BILLION, "target weight")
    return whole


def scaled(number: Decimal, unit: int, what: str) -> int:
    """`number` in units of 1 / `unit`. Raises NotRepresentableError for a fraction of one, and for too many of them."""
    product = number * unit
    if not product.is_finite() or product != product.to_integral_value() or abs(product) >= 2**62:
        raise NotRepresentableError(f"{what} {number:f} is no whole number of 1/{unit}")
    return int(product)


def _sessions(moments: Sequence[Moment]) -> tuple[list[Session], list[Moment]]:
    """The sessions in order, and the first moment of each."""
    firsts: list[Moment] = []
    for moment in moments:
        if not firsts or firsts[-1].session.date != moment.session.date:
            firsts.append(moment)
        elif moment.gates != firsts[-1].gates:
            raise NotRepresentableError(f"a quality gate changes within the session {moment.session.date}")
    days = [moment.session.date for moment in firsts]
    if days != sorted(set(days)):
        raise NotRepresentableError("the sessions are not in order")
    return [moment.session for moment in firsts], firsts


def _actions_of(actions: Iterable[CorporateAction], column: Mapping[str, int]) -> list[list[int]]:
    """Rows of Market.actions in the order in which they are booked; of symbols that are never traded none."""
    booked, split = [], set()
    for action in actions:
        if action.symbol not in column and action.new_symbol not in column:
            continue
        kind = _KINDS.get(action.kind)
        if kind is None or (kind == SPLIT and action.symbol in split):
            raise NotRepresentableError(f"{action.kind} of {action.symbol} on {action.ex_date}")
        if kind == SPLIT:
            split.add(action.symbol)
            terms = scaled(action.own_shares, BILLION, f"ratio of {action.symbol} on {action.ex_date}")
        elif action.amount_usd is None:
            raise NotRepresentableError(f"dividend of {action.symbol} on {action.ex_date} has no amount")
        else:
            terms = scaled(action.amount_usd, BILLION, f"dividend of {action.symbol} on {action.ex_date}")
        settles = max(action.pay_date or action.ex_date, action.ex_date)
        booked.append([kind, column[action.symbol], terms, settles.toordinal()])
    return sorted(booked)


def _standings(moments: Sequence[Moment]) -> Standings:
    of_all = {id(moment.standings): moment.standings for moment in moments}
    if len(of_all) > 1:
        raise NotRepresentableError("how symbols stand is not said by one record")
    return next(iter(of_all.values()), NO_STANDINGS)


def _gates(firsts: Sequence[Moment], symbols: Sequence[str]) -> npt.NDArray[np.bool_]:
    states = [[moment.gates.get(symbol) == "open" for symbol in symbols] for moment in firsts]
    return np.array(states, dtype=np.bool_).reshape(len(firsts), len(symbols))


def _shorts(moments: Sequence[Moment], symbols: Sequence[str]) -> Ints:
    shorts = np.zeros((len(moments), len(symbols), SHORT_COLUMNS), dtype=np.int64)
    for moment, row in zip(moments, shorts, strict=True):
        market = moment.market
        for symbol, of_symbol in zip(symbols, row, strict=True):
            fall, conditions = market.fall(symbol), moment.standings.of(symbol, moment.at)
            if fall is None:
                of_symbol[SHORT_LOWEST] = UNKNOWN
            else:
                of_symbol[SHORT_LOWEST] = floor(fall.lowest_usd * MILLION)
                of_symbol[SHORT_PREVIOUS_CLOSE] = ceil(fall.previous_close_usd * MILLION)
            of_symbol[SHORT_IS_SHORTABLE] = Condition.NOT_SHORTABLE not in conditions
            of_symbol[SHORT_IS_EASY] = Condition.HARD_TO_BORROW not in conditions
    return shorts


def _fees(day: date) -> list[int]:
    row = FINRA_TAF.row_on(day)
    cap = -1 if row is None or row.cap is None else scaled(row.cap, BILLION, "cap of the TAF")
    sec = scaled(SEC_SECTION_31.rate_on(day), MILLION, "rate of the SEC's fee")
    return [sec, scaled(FINRA_TAF.rate_on(day), BILLION, "rate of the TAF"), cap]


def _microseconds(times: Sequence[datetime]) -> Ints:
    naive = [at.astimezone(UTC).replace(tzinfo=None) for at in times]
    return np.array(naive, dtype="datetime64[us]").astype(np.int64)
