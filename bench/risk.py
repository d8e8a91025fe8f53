"""The review of orders: 500 symbols at one moment beside a plain SQL read of what it sees, and its part of a replay.

The moment is lived through by the time loop, so that what is reviewed is what would trade.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from bench.measure import Result, fresh_database, median, seconds_of
from trading_assets.adapters.sample import SampleSource
from trading_assets.domain import simulation
from trading_assets.domain.backtest import KnownBars, MarketRecord, Terms, trade
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.sessions import next_session, session, sessions_between
from trading_assets.domain.market.universe import always
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.simulation import Moment, Rules, loop
from trading_assets.domain.strategy.knowledge import parts
from trading_assets.domain.strategy.portfolio import Sectors
from trading_assets.domain.strategy.strategy import NO_FACTS, ConfiguredStrategy
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.tape import Tape
from trading_assets.domain.values import Timeframe
from trading_assets.settings import RiskSettings
from trading_assets.strategies.sma_crossover import SmaCrossover

if TYPE_CHECKING:
    from trading_assets.adapters.postgres.database import Database

DAY = date(2012, 6, 1)
SAMPLED = ("AAPL", "GOOG", "IBM", "MSFT")
RULES = Rules(RiskLimits.of(RiskSettings(rebalance_band=0).limits()), FillModel(Decimal(5), Decimal("0.025")))

INPUTS = (
    "select strategy, symbol, target_weight from strategy.targets where decision_at = %(at)s",
    "select symbol, close, volume from market.bars where closes_at = %(at)s and timeframe = '1d'",
    "select symbol, state from ops.quality_gates where session_date = %(day)s",
    "select strategy, symbol, qty, mark_price from execution.positions where session_date = %(day)s",
)


def run(
    rounds: int = 9, symbols: int = 500, first: date = date(2003, 1, 2), last: date = date(2012, 12, 31)
) -> list[Result]:
    """Two results: one moment of `symbols` symbols, and the sessions first..last of the bundled history."""
    return [_one_moment(rounds, symbols), _replay(first, last)]


class _Reviews:
    """Stands in for the review in the time loop, and remembers how long each took and how many intents it had."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.intents = 0

    def __call__(self, intents: Sequence[Any], *rest: Any) -> list[Any]:
        verdicts: list[Any] = []
        self.seconds.append(seconds_of(lambda: verdicts.extend(review(intents, *rest))))
        self.intents += len(verdicts)
        return verdicts

    def __enter__(self) -> _Reviews:
        loop.review = self  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        loop.review = review


def _one_moment(rounds: int, count: int) -> Result:
    names = [f"S{number:03}" for number in range(count)]
    reviewed = []
    for _ in range(rounds):
        account, journal = simulation.open_book("bench", Decimal(10_000_000), session(DAY))
        with _Reviews() as reviews:
            moments = [_moment(DAY, names, ["0.0005"]), _moment(next_session(DAY), names, ["0.0008", "0"])]
            simulation.walk(account, moments, RULES, {}, (), journal)
        reviewed.append(reviews.seconds[-1])
        intents = sum(verdict.intent.decision_at == moments[-1].at for verdict in journal.verdicts)
    with fresh_database() as database:
        _store(database, names)
        day = next_session(DAY)
        scope = {"day": day, "at": session(day).closes_at}
        reads = [seconds_of(lambda: _read(database, scope)) for _ in range(rounds + 1)][1:]
    what = f"review of {intents} intents at one moment"
    return Result(what, median(reviewed), "plain SQL read of what it looks at", median(reads), rounds)


def _moment(day: date, names: Sequence[str], weights: Sequence[str]) -> Moment:
    trading = session(day)
    at, price, volume = trading.closes_at, Decimal(50), Decimal(1_000_000)
    return Moment(
        at=at,
        session=trading,
        bars=[Bar(name, trading.opens_at, at, day, price, price, price, price, volume) for name in names],
        actions=[],
        targets=[
            Target("bench", "1+00000000", name, at, day, Decimal(weights[number % len(weights)]))
            for number, name in enumerate(names)
        ],
        gates=dict.fromkeys(names, "open"),
        standings=always_tradable(names),
    )


def _store(database: Database, names: Sequence[str]) -> None:
    day = next_session(DAY)
    scope = {"names": list(names), "day": day, "opens": session(day).opens_at, "at": session(day).closes_at}
    with database.transaction() as connection:
        connection.execute(
            "insert into strategy.targets (strategy, strategy_version, symbol, decision_at, session_date, signal, "
            "capital_weight, target_weight) select 'bench', '1+00000000', symbol, %(at)s, %(day)s, 1, 0.5, 0.0008 "
            "from unnest(%(names)s::text[]) as symbol",
            scope,
        )
        connection.execute(
            "insert into market.bars (symbol, timeframe, ts, closes_at, session_date, open, high, low, close, volume, "
            "source, version, known_at) select symbol, '1d', %(opens)s, %(at)s, %(day)s, 50, 50, 50, 50, 1000000, "
            "'bench', 1, %(at)s from unnest(%(names)s::text[]) as symbol",
            scope,
        )
        connection.execute(
            "insert into ops.quality_gates (dataset, session_date, symbol, state) "
            "select 'market.bars', %(day)s, symbol, 'open' from unnest(%(names)s::text[]) as symbol "
            "on conflict (dataset, session_date, symbol) do update set state = 'open'",
            scope,
        )
        connection.execute(
            "insert into execution.accounts (account_id, broker, fingerprint, inception_session, opening_cash_usd) "
            "values ('bench', 'simulated', '00000000', %(day)s, 10000000)",
            scope,
        )
        connection.execute(
            "insert into execution.positions (account_id, session_date, strategy, symbol, as_of, qty, avg_cost_usd, "
            "mark_price, value_usd, realised_usd, unrealised_usd) "
            "select 'bench', %(day)s, 'bench', symbol, %(at)s, 100, 50, 50, 5000, 0, 0 "
            "from unnest(%(names)s::text[]) as symbol",
            scope,
        )


def _read(database: Database, scope: dict[str, Any]) -> None:
    with database.transaction() as connection:
        for query in INPUTS:
            connection.execute(query, scope).fetchall()


def _replay(first: date, last: date) -> Result:
    now, days = session(last).closes_at, sessions_between(first, last)
    bars = SampleSource().bars(SAMPLED, Timeframe.SESSION, first, last, now)
    (whole,) = parts(first, last, Timeframe.SESSION, [], now)
    gates = {(day, symbol): "open" for day in days for symbol in SAMPLED}
    traded = bars.sort_values(["closes_at", "symbol"], ignore_index=True)
    record = MarketRecord(
        first=first,
        last=last,
        now=now,
        members=always(SAMPLED),
        known={Timeframe.SESSION: [KnownBars(whole, bars, pd.Series(1.0, index=bars.index))]},
        tape=Tape.of(traded, [], gates, always_tradable(SAMPLED)),
        sectors=Sectors(),
        facts_of=lambda _strategy, _part: NO_FACTS,
    )
    crossover = ConfiguredStrategy("sma_crossover", SmaCrossover(fast=10, slow=30), Timeframe.SESSION, 0.4)
    targets, terms = record.targets([crossover]), Terms("bench", Decimal(100_000), RULES)
    journals: list[Journal] = []
    with _Reviews() as reviews:
        seconds = seconds_of(lambda: journals.append(trade(record, targets, terms)))
    spent = sum(reviews.seconds)
    what = f"reviews of {reviews.intents} intents in {len(days)} sessions"
    return Result(what, spent, "the rest of the time loop", seconds - spent)
