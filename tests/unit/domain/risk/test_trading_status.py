"""Why trading is blocked now: one line that names everything that blocks, and nothing that does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trading_assets.domain.risk.protections import Lock, ProtectionKind
from trading_assets.domain.risk.standings import Restriction as ListChange
from trading_assets.domain.risk.standings import RestrictionKind
from trading_assets.domain.risk.status import (
    Restriction,
    TrippedBreaker,
    headline,
    of_breakers,
    of_data,
    of_gates,
    of_lists,
    of_locks,
    of_states,
)
from trading_assets.domain.risk.trading_states import EVERY_ACCOUNT, Command, Scope, StateChange
from trading_assets.domain.values import Side

AT = datetime(2012, 6, 1, 15, 30, tzinfo=UTC)


def change(command: Command, scope: Scope, subject: str) -> StateChange:
    return StateChange(1, scope, subject, command.state, command is Command.FLATTEN, AT, "Ada", "fat finger")


def test_nothing_restricts_trading() -> None:
    resumed = [change(Command.RESUME, Scope.ACCOUNT, EVERY_ACCOUNT)]
    found = [*of_states(resumed), *of_data(AT, AT), *of_gates({"AAA": "open"}), *of_locks([]), *of_breakers([])]
    assert (found, headline(found)) == ([], "Trading is active.")


def test_line_names_everything_that_blocks_and_who_did_it() -> None:
    halted = of_states([change(Command.HALT, Scope.ACCOUNT, EVERY_ACCOUNT)])
    tripped = of_breakers([TrippedBreaker("drawdown", AT, {"limit": "-0.1", "change": "-0.12"})])
    assert headline([*halted, *tripped, *of_gates({"AAA": "closed", "BBB": "open"})]) == (
        "Trading is blocked. state: every account is halted since 2012-06-01 15:30 UTC, by Ada: fat finger; "
        "breaker: drawdown tripped at 2012-06-01 15:30 UTC (change -0.12, limit -0.1)."
    )


@pytest.mark.parametrize(
    ("found", "is_blocking"),
    [
        (of_states([change(Command.FLATTEN, Scope.ACCOUNT, "mine")]), True),
        (of_states([change(Command.HALT, Scope.SYMBOL, "AAA")]), False),
        (of_data(None, AT), True),
        (of_data(AT - timedelta(hours=1), AT), True),
        (of_gates({"AAA": "pending", "BBB": "absent"}), True),
        (of_gates({"AAA": "pending", "BBB": "open"}), False),
        (of_locks([Lock(ProtectionKind.MAX_DRAWDOWN, AT)]), True),
        (of_locks([Lock(ProtectionKind.COOLDOWN, AT, "AAA", Side.BUY)]), False),
    ],
)
def test_restriction_of_the_whole_account_blocks_and_that_of_a_part_does_not(
    found: list[Restriction], is_blocking: bool
) -> None:
    assert [one.is_blocking for one in found] == [is_blocking]
    assert headline(found).startswith("Trading is blocked." if is_blocking else "Trading is active, and restricted by ")


def test_lists_show_the_last_word_on_each_symbol_and_those_of_the_configuration() -> None:
    changes = [
        ListChange("IBM", RestrictionKind.RESTRICTED, AT, "Ada", "insider"),
        ListChange("AAPL", RestrictionKind.RESTRICTED, AT, "Ada", "lawsuit"),
        ListChange("IBM", RestrictionKind.FREE, AT + timedelta(days=1), "Bob", "public now"),
    ]
    found = of_lists(changes, restricted=["MSFT"], watched=["GOOG"])
    assert [(one.text, one.is_blocking) for one in found] == [
        ("AAPL is restricted since 2012-06-01 15:30 UTC, by Ada: lawsuit", False),
        ("MSFT is restricted, by trading.yaml", False),
        ("GOOG is watched, by trading.yaml", False),
    ]
    assert headline(found) == "Trading is active, and restricted by list."
