"""The job that pauses, cools down or enables a strategy from the UI, with who did it and why in the run's config."""

from datetime import datetime
from typing import Literal

import dagster as dg
from pydantic import Field

from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.promotions import enable
from trading_assets.adapters.postgres.strategy_states import set_status
from trading_assets.defs.failures import one_line_failures
from trading_assets.domain.strategy.states import StrategyStatus, moment_in_utc, status_for
from trading_assets.settings import TradingSettings


class StrategyStatusChange(dg.Config):
    """Who wants what of which strategy."""

    strategy: str = Field(description="A strategy of trading.yaml.")
    status: Literal["enabled", "paused"] = Field(
        description="paused: it gets no new positions, and may reduce its own."
    )
    by: str = Field(description="Who changes it.")
    why: str = Field(description="Why.")
    until: str | None = Field(None, description="The end of a pause, in UTC: 2022-05-02T15:30Z. None: until enabled.")


@dg.op(description="Records the change; it holds for decisions from now on.")
def change_strategy_status(
    context: dg.OpExecutionContext,
    config: StrategyStatusChange,
    database: dg.ResourceParam[Database],
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
) -> None:
    if config.strategy not in settings.strategies:
        known = ", ".join(sorted(settings.strategies)) or "none"
        raise dg.Failure(
            f"trading.yaml configures no strategy {config.strategy!r}. Configured: {known}.", allow_retries=False
        )
    until: datetime | None = None
    try:
        until = moment_in_utc(config.until) if config.until else None
        status = status_for(StrategyStatus(config.status), until)
    except ValueError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    warning = None
    with one_line_failures(), database.transaction() as connection:
        if status is StrategyStatus.ENABLED:
            chosen = next(one for one in load_strategies(settings) if one.name == config.strategy)
            event, warning = enable(connection, chosen, settings.broker.venue, config.by, config.why, clock.now())
        else:
            event = set_status(connection, config.strategy, status, config.by, config.why, clock.now(), until)
    if warning:
        context.log.warning(warning)
    context.log.info(f"Strategy {event.strategy} is {event.state.in_words} from {event.at:%Y-%m-%d %H:%M} UTC on.")


@dg.job(description="Pause, cool down or enable a strategy: who and why are recorded, and it survives a restart.")
def set_strategy_status_job() -> None:
    change_strategy_status()
