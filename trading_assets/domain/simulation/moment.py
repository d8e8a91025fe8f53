"""What the time loop is given: one bar close with all that is known at it, and the rules of the account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trading_assets.domain.execution.entries import EntryPlan
from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.journal import BreakerEvent
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.sessions import Session
from trading_assets.domain.risk.breakers import BreakerRule
from trading_assets.domain.risk.intents import SizeRule
from trading_assets.domain.risk.limit_changes import Schedule
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.market_view import NO_HISTORY, MarketHistory, MarketView
from trading_assets.domain.risk.protections import Protection
from trading_assets.domain.risk.regime import UNKNOWN_REGIME, Regime
from trading_assets.domain.risk.standings import NO_STANDINGS, Standings
from trading_assets.domain.risk.trading_states import ALL_ACTIVE, TradingStates
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import Timeframe

SIMULATED = "simulated"

NO_CAPITAL: Mapping[str, Decimal] = {}


@dataclass(frozen=True, slots=True)
class Moment:
    """One bar close of a session: what closed at `at` (UTC), what takes effect, what the strategies want.

    `actions` are those with this session as ex-date; `gates` is the state of the quality gate by symbol; `clearances`
    are what happened to breakers since the moment before without the time loop: a person cleared one, or the record of
    orders tripped it. `states` are those that persons declared, `opening_states` those that held when the bars began.
    `regime` is that of the newest session's close. `history` is given where limits ask for what it says. `standings`
    say how symbols stood when.
    """

    at: datetime
    session: Session
    bars: Sequence[Bar]
    actions: Sequence[CorporateAction]
    targets: Sequence[Target]
    gates: Mapping[str, str]
    clearances: Sequence[BreakerEvent] = ()
    states: TradingStates = ALL_ACTIVE
    opening_states: TradingStates = ALL_ACTIVE
    regime: Regime = UNKNOWN_REGIME
    history: MarketHistory = NO_HISTORY
    standings: Standings = NO_STANDINGS

    @property
    def begins_at(self) -> datetime:
        """When its bars began, UTC; `at` where nothing traded."""
        return min((bar.ts for bar in self.bars), default=self.at)

    @property
    def market(self) -> MarketView:
        """What the bars up to this close say about symbols."""
        volumes = {bar.symbol: bar.volume for bar in self.bars}
        return self.history.view(self.at, self.session.date, volumes)

    @property
    def closes(self) -> dict[str, Decimal]:
        """Raw closing prices by symbol."""
        return {bar.symbol: bar.close for bar in self.bars}

    @property
    def closes_session(self) -> bool:
        return self.at == self.session.closes_at


@dataclass(frozen=True, slots=True)
class Rules:
    """What the account trades by. `exits` are the protective exits by strategy; one that is not in it has none. Nor has
    one that is not in `entries` another way to enter than market orders of the day.

    `limits` hold until the first of the `changes`, each of which holds until the next. `sizes` says by strategy how
    many shares a target is, `capital` the share of the account that is its own. `breakers` are those that are
    configured, by name, beside the ones that the limits have. `timeframes` are those that strategies decide on; without
    any, all that are known.
    """

    limits: RiskLimits
    fill_model: FillModel
    exits: Mapping[str, ExitPlan] = field(default_factory=dict)
    changes: Schedule = ()
    sizes: Mapping[str, SizeRule] = field(default_factory=dict)
    breakers: Mapping[str, BreakerRule] = field(default_factory=dict)
    protections: Sequence[Protection] = ()
    broker: str = SIMULATED
    account_number: str | None = None
    is_margin_account: bool = True
    capital: Mapping[str, Decimal] = field(default_factory=dict)
    entries: Mapping[str, EntryPlan] = field(default_factory=dict)
    timeframes: frozenset[Timeframe] = frozenset()

    def own_capital(self, limits: RiskLimits) -> Mapping[str, Decimal]:
        """The capital by strategy where `limits` hold strategies to it."""
        return NO_CAPITAL if limits.max_strategy_exposure is None else self.capital

    @property
    def reads_market(self) -> bool:
        """Whether some limit, now or after a change, asks for a market history."""
        return any(limits.reads_market for limits in self._all_limits)

    @property
    def allows_shorts(self) -> bool:
        """Whether shorts are allowed, now or after a change."""
        return any(limits.allow_short for limits in self._all_limits)

    @property
    def _all_limits(self) -> list[RiskLimits]:
        return [self.limits, *(limits for _, limits in self.changes)]

    def limits_at(self, at: datetime) -> RiskLimits:
        """The limits that hold at `at` (UTC)."""
        return next((limits for begin, limits in reversed(self.changes) if begin <= at), self.limits)
