"""The broker's own switch beside ours: a halt of the whole account also has the broker refuse new orders.

Our halt stands by itself, from its commit on. The broker's switch is what still holds when everything of ours is down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading_assets.adapters.brokers import build_broker
from trading_assets.adapters.errors import AdapterError
from trading_assets.adapters.postgres.broker_accounts import broker_account_id
from trading_assets.domain.risk.trading_states import EVERY_ACCOUNT, Scope, StateChange
from trading_assets.domain.risk.verdicts import TradingState

if TYPE_CHECKING:
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.settings import Environment, TradingSettings


class SwitchFailed(AdapterError):
    """Our own halt or resumption stands, and the broker's switch is not set."""


def switch_at_broker(
    settings: TradingSettings, environment: Environment, database: Database, change: StateChange
) -> str | None:
    """Set the broker's switch as a committed change of state asks; returns what to tell, None where nothing is set.

    A halt of the account suspends it, a resumption lets it trade; reducing and single strategies or symbols leave the
    switch alone. Raises SwitchFailed when the broker does not confirm.
    """
    broker = settings.broker
    if broker.account is None or change.state is TradingState.REDUCING:
        return None
    account_id = broker_account_id(broker.venue, broker.account)
    if change.scope is not Scope.ACCOUNT or change.subject not in {EVERY_ACCOUNT, account_id}:
        return None
    is_suspended = change.state is TradingState.HALTED
    try:
        build_broker(settings, environment, database).suspend_trade(is_suspended)
    except AdapterError as error:
        raise SwitchFailed(
            f"Trading of {change.of} is {change.in_words} here, and the broker did not set its own switch: {error} "
            "Set it on the broker's page, or give the command again."
        ) from error
    return f"At the broker account {broker.account} {'is suspended' if is_suspended else 'may trade'}."
