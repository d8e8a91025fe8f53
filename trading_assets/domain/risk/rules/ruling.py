"""What a rule is made of: the units of its numbers, its answer, and exact shares of amounts.

Rules know whole numbers only, so that one source runs as Python for one intent and compiled for millions of bars, and
there is no rounding to argue about. Nothing here knows an account or an order.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, NamedTuple

from trading_assets.domain.values import plain

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Unit:
    """How people read a number: `per_one` of it make one of what `name` says, or it stands for one of `words`."""

    name: str
    per_one: int = 1
    words: tuple[str, ...] = ()

    def text(self, number: float) -> str:
        """The exact decimal, or the word."""
        if self.words:
            return self.words[int(number)]
        if isinstance(number, float):
            return repr(number)
        whole, rest = divmod(number, self.per_one)
        return plain(Decimal(number) / self.per_one) if rest else str(whole)

    def amount(self, number: float) -> float | None:
        """The number as it is stored for charts; words have none."""
        return None if self.words else number / self.per_one


USD = Unit("USD", per_one=MILLION)
SHARES = Unit("shares")
NANO_SHARES = Unit("shares", per_one=1_000_000_000)
PPM = Unit("fraction", per_one=MILLION)
NUMBER = Unit("number")
FLAG = Unit("flag", words=("false", "true"))
# Counted from the end, -1 is the last word.
DIRECTION = Unit("direction", words=("none", "buy", "sell"))
GATE = Unit("gate", words=("absent", "closed", "pending", "open"))
STATE = Unit("state", words=("active", "reducing", "halted"))

Usd = Annotated[int, USD]
"""Millionths of a dollar; a price is that for one share."""
Shares = Annotated[int, SHARES]
NanoShares = Annotated[int, NANO_SHARES]
Ppm = Annotated[int, PPM]
"""Parts per million: 10 % is 100,000."""
Count = Annotated[int, NUMBER]
Statistic = Annotated[float, NUMBER]
Flag = Annotated[bool, FLAG]
Direction = Annotated[int, DIRECTION]
"""+1 buys, -1 sells."""
Gate = Annotated[int, GATE]
State = Annotated[int, STATE]


class Ruling(NamedTuple):
    """A rule's answer. `value` and `limit` are in the unit of its row in the catalogue.

    `allowed_qty`: the most whole shares of the order that the rule accepts when it fails; below one nothing may pass.
    """

    is_passed: bool
    value: float
    limit: float
    allowed_qty: int


def floor_share(amount: int, ppm: int) -> int:
    """`amount` x `ppm` / 1,000,000, rounded down, without a product that could outgrow 64 bits.

    A whole number is at most an exact limit if, and only if, it is at most the limit rounded down.
    """
    return amount // 1_000_000 * ppm + amount % 1_000_000 * ppm // 1_000_000


def ceil_share(amount: int, ppm: int) -> int:
    """The same, rounded up: what a whole number must be at least to reach an exact bound."""
    return -(-amount // 1_000_000 * ppm + -amount % 1_000_000 * ppm // 1_000_000)
