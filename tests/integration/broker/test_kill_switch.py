"""A halt of the account sets the broker's own switch, a resumption takes it back, and a failure is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from standins.broker_rehearsals import ACCOUNT, new_venue
from standins.local_alpaca.server import PAPER_KEY, SECRET, LocalAlpaca
from standins.local_alpaca.switchboard import status
from standins.rehearsed_account import ACCOUNT_ID, SETTINGS

from trading_assets.adapters.kill_switch import SwitchFailed, switch_at_broker
from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.risk.trading_states import EVERY_ACCOUNT, Command, Scope, StateChange
from trading_assets.settings import Environment, overridden

ENVIRONMENT = Environment(alpaca_api_key=SecretStr(PAPER_KEY), alpaca_secret_key=SecretStr(SECRET))
NOW = datetime(2024, 7, 1, 15, tzinfo=UTC)


def ordered(command: Command, scope: Scope = Scope.ACCOUNT, subject: str = EVERY_ACCOUNT) -> StateChange:
    return StateChange(1, scope, subject, command.state, command is Command.FLATTEN, NOW, "Ada", "a test")


@pytest.mark.parametrize("subject", [EVERY_ACCOUNT, ACCOUNT_ID])
def test_halt_suspends_the_account_at_the_broker_and_resume_lets_it_trade(subject: str, database: Database) -> None:
    venue = new_venue()
    with LocalAlpaca(venue).running() as alpaca:
        settings = overridden(SETTINGS, {"broker.url": alpaca.url})
        told = switch_at_broker(settings, ENVIRONMENT, database, ordered(Command.HALT, subject=subject))
        assert (told, venue.is_suspended) == (f"At the broker account {ACCOUNT} is suspended.", True)
        told = switch_at_broker(settings, ENVIRONMENT, database, ordered(Command.RESUME, subject=subject))
        assert (told, venue.is_suspended) == (f"At the broker account {ACCOUNT} may trade.", False)


@pytest.mark.parametrize(
    "change",
    [
        ordered(Command.HALT, Scope.SYMBOL, "AAA"),
        ordered(Command.HALT, Scope.STRATEGY, "buy_and_hold"),
        ordered(Command.HALT, subject="another-account"),
        ordered(Command.REDUCE),
        ordered(Command.FLATTEN),
    ],
    ids=lambda change: f"{change.of} {change.state}",
)
def test_what_leaves_orders_possible_leaves_the_switch_alone(change: StateChange, database: Database) -> None:
    venue = new_venue()
    with LocalAlpaca(venue).running() as alpaca:
        settings = overridden(SETTINGS, {"broker.url": alpaca.url})
        assert switch_at_broker(settings, ENVIRONMENT, database, change) is None
        assert (venue.is_suspended, alpaca.asked) == (False, [])


def test_switch_that_the_broker_does_not_confirm_is_said(database: Database) -> None:
    venue = new_venue()
    with LocalAlpaca(venue).running() as alpaca:
        alpaca.switchboard.switch_on(status(503), method="PATCH", path="/v2/account/configurations")
        settings = overridden(SETTINGS, {"broker.url": alpaca.url})
        with pytest.raises(SwitchFailed, match=r"is halted here, and the broker did not set its own switch"):
            switch_at_broker(settings, ENVIRONMENT, database, ordered(Command.HALT))
