"""The `trading` command. One module a group of commands; each imports what it needs only when it runs.

Failures that a user can act on end as one line on stderr and exit code 1.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import Any

import click

from trading_assets.cli.accounts import account, ledger
from trading_assets.cli.archive import archive
from trading_assets.cli.backtests import backtest, compare, sweep
from trading_assets.cli.breakers import breaker
from trading_assets.cli.clock import clock
from trading_assets.cli.database import env, migrate
from trading_assets.cli.doctor import doctor
from trading_assets.cli.events import events
from trading_assets.cli.limits import limit
from trading_assets.cli.listen import listen
from trading_assets.cli.new import new
from trading_assets.cli.prove import prove
from trading_assets.cli.query import sql
from trading_assets.cli.reconciliation import breaks, incidents, reconcile
from trading_assets.cli.restrictions import restrict
from trading_assets.cli.runs import backfill, demo
from trading_assets.cli.status import status
from trading_assets.cli.stored_answers import reparse
from trading_assets.cli.strategies import strategy
from trading_assets.cli.trading_states import flatten, halt, reduce, resume
from trading_assets.cli.up import up
from trading_assets.cli.what_if import what_if


class _Trading(click.Group):
    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except Exception as error:
            if not _is_for_the_user(error):
                raise
            raise click.ClickException(str(error)) from error


def _is_for_the_user(error: Exception) -> bool:
    from trading_assets.adapters.errors import AdapterError
    from trading_assets.adapters.plugins import PluginError
    from trading_assets.domain.market.sessions import OutsideCalendarError
    from trading_assets.domain.strategy.strategy import StrategyError
    from trading_assets.range_run import NoSessionsError
    from trading_assets.settings import SettingsError

    told = AdapterError | PluginError | StrategyError | SettingsError | NoSessionsError | OutsideCalendarError
    return isinstance(error, told)


@click.group(cls=_Trading, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trading-assets")
def trading() -> None:
    """Systematic trading as a graph of data assets."""
    from trading_assets.services import join_rehearsal
    from trading_assets.settings import SettingsError, load_env_file, load_environment

    load_env_file()
    # A command that needs the environment says itself what is wrong with it.
    with contextlib.suppress(SettingsError):
        join_rehearsal(load_environment().home)


for command in (
    demo,
    up,
    listen,
    backfill,
    backtest,
    compare,
    sweep,
    migrate,
    doctor,
    env,
    sql,
    events,
    ledger,
    account,
    breaker,
    status,
    halt,
    reduce,
    flatten,
    resume,
    limit,
    restrict,
    reconcile,
    breaks,
    incidents,
    what_if,
    clock,
    strategy,
    new,
    reparse,
    prove,
    archive,
):
    trading.add_command(command)


def main() -> None:
    # So that a plain `kill` stops the servers too: the exception unwinds the blocks that hold them.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    trading()
