"""Whoever sends orders may die anywhere, be slow, or be two: nothing is sent twice, and no fill is lost.

A seed is one history: processes that decide, send and take fills are killed at points drawn by chance, while requests
for new orders meet faults on the wire; then others recover, bars trade, and both records are compared.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from standins.account_truth import untruths
from standins.dying_desks import NEVER, Cut, End, MortalAccount, mortal_account
from standins.local_alpaca.switchboard import WIRE_FAULTS
from standins.rehearsed_account import DAY

from trading_assets.adapters.postgres.database import Database

SEEDS = 100
NIGHTLY_SEEDS = 1000
POINTS = {"decide": 60, "submit": 110, "take_fills": 40}
"""A few more than a phase has: a cut beyond the last one lets it end."""
ALLOWED = {None, "AnotherWriter"}


def live_through(account: MortalAccount, seed: int, start: str) -> list[End]:
    """One history; returns how each process of it ended."""
    chance = random.Random(seed)
    ends: list[End] = []
    if start == "wants":
        ends += die(account, chance, "decide")
        account.desk().decide(DAY)
    break_the_wire(account, chance)
    ends += die(account, chance, "submit")
    account.at(account.clock.at + timedelta(seconds=chance.choice([1, 30, 100, 300])))
    account.desk().submit(DAY)
    account.close("12:30")
    account.close("13:30")
    if chance.random() < 0.5:
        ends += die(account, chance, "take_fills", chance.choice(["take_fills", "submit"]))
    account.desk().take_fills(DAY)
    if chance.random() < 0.2:
        account.close("14:30")
        account.desk().take_fills(DAY)
    return ends


def die(account: MortalAccount, chance: random.Random, phase: str, other: str | None = None) -> list[End]:
    """One process of the phase that is killed by chance, sometimes another beside it; sometimes the first is slow."""
    first = (phase, Cut(nth=chance.randint(1, POINTS[phase]), holds=chance.random() < 0.2))
    if not first[1].holds and chance.random() < 0.75:
        return account.run(first)
    other = other or phase
    return account.run(first, (other, Cut(nth=chance.randint(1, POINTS[other])) if chance.random() < 0.5 else NEVER))


def break_the_wire(account: MortalAccount, chance: random.Random) -> None:
    for _ in range(chance.choice([0, 0, 1, 1, 2])):
        reply = WIRE_FAULTS[chance.choice(sorted(WIRE_FAULTS))]
        account.alpaca.switchboard.switch_on(reply, is_after=chance.random() < 0.5)


@pytest.mark.parametrize(
    "seed", [*range(SEEDS), *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(SEEDS, NIGHTLY_SEEDS))]
)
def test_nothing_is_sent_twice_and_no_fill_is_lost(
    seed: int, prepared: dict[str, Database], new_database: Callable[..., Database]
) -> None:
    start = "wants" if seed % 5 == 0 else "decided"
    with mortal_account(new_database(like=prepared[start])) as account:
        ends = live_through(account, seed, start)
        found = untruths(account)

    assert (found, {end.failure for end in ends} - ALLOWED) == ([], set()), ends
