"""The jobs that halt, reduce, flatten and resume trading from the UI, with who and why in the run's config."""

from collections.abc import Callable

import dagster as dg
from pydantic import Field

from trading_assets.adapters.kill_switch import switch_at_broker
from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.trading_states import order_state
from trading_assets.defs.failures import one_line_failures
from trading_assets.domain.risk.trading_states import Command
from trading_assets.settings import TradingSettings, load_environment


class StateOrder(dg.Config):
    """Who wants it, why, and for what: at most one of account, strategy and symbol; none of them is every account."""

    by: str = Field(description="Who decides it.")
    why: str = Field(description="The reason.")
    account: str | None = Field(None, description="Only this account.")
    strategy: str | None = Field(None, description="Only this strategy.")
    symbol: str | None = Field(None, description="Only this symbol.")


def _op_for(command: Command) -> dg.OpDefinition:
    @dg.op(name=f"{command.value}_trading", description="Records the state; submissions obey it from its commit on.")
    def change_trading_state(
        context: dg.OpExecutionContext,
        config: StateOrder,
        database: dg.ResourceParam[Database],
        settings: dg.ResourceParam[TradingSettings],
        clock: dg.ResourceParam[Clock],
    ) -> None:
        scope = {"account": config.account, "strategy": config.strategy, "symbol": config.symbol}
        with one_line_failures():
            with database.transaction() as connection:
                change = order_state(connection, settings, command, config.by, config.why, clock.now(), **scope)
            context.log.info(f"Trading of {change.of} is {change.in_words} from {change.at:%Y-%m-%d %H:%M} UTC on.")
            if told := switch_at_broker(settings, load_environment(), database, change):
                context.log.info(told)

    return change_trading_state


def _job(name: str, command: Command, description: str) -> dg.JobDefinition:
    change: Callable[[], object] = _op_for(command)

    @dg.job(name=name, description=description)
    def trading_state_job() -> None:
        change()

    return trading_state_job


halt_trading_job = _job("halt_trading_job", Command.HALT, "Send no order any more; who and why are recorded.")
reduce_positions_job = _job("reduce_positions_job", Command.REDUCE, "Send only orders that reduce a position.")
flatten_positions_job = _job("flatten_positions_job", Command.FLATTEN, "Close what is held, and send nothing else.")
resume_trading_job = _job("resume_trading_job", Command.RESUME, "Trade again; who and why are recorded.")
