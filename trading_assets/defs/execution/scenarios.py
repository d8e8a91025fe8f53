"""The job that reviews recorded sessions again under other limits, with sessions and limits in the run's config."""

from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.scenarios import scenario
from trading_assets.defs.failures import one_line_failures
from trading_assets.domain.market.sessions import sessions_between
from trading_assets.settings import TradingSettings


class ScenarioConfig(dg.Config):
    """The question: which recorded sessions, and the limits to try."""

    first: str = Field(description="First session, such as 2010-03-01.")
    last: str = Field(description="Last session.")
    limits: dict[str, Any] = Field(description="Limits by name, as under risk in trading.yaml.")


@dg.op(description="Stores the answer as a scenario; no recorded verdict is touched.")
def review_scenario(
    context: dg.OpExecutionContext,
    config: ScenarioConfig,
    database: dg.ResourceParam[Database],
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
) -> None:
    # Its desk loads the strategies, which only a run needs.
    from trading_assets.defs.execution.trading_desk import TradingDesk

    with one_line_failures():
        days = sessions_between(date.fromisoformat(config.first), date.fromisoformat(config.last))
        if not days:
            raise dg.Failure(f"There is no trading session from {config.first} to {config.last}.")
        scenario_id = TradingDesk(database, settings, clock.now()).store_what_if(days[0], days[-1], config.limits)
        with database.transaction() as connection:
            found = scenario(connection, scenario_id)
    context.log.info(
        f"Scenario {scenario_id[:12]}: {found.denied_count} denials and {found.smaller_count} smaller orders, "
        f"worth {found.worth_usd:+,.2f} USD. See risk.scenario_effects, or `trading whatif show {scenario_id[:12]}`."
    )


@dg.job(description="Reviews recorded sessions again under other limits and stores what they would have changed.")
def review_scenario_job() -> None:
    review_scenario()
