"""On what our ledger and a broker's records can disagree, and what is to be done about it.

Finding the disagreements is the business of `reconciliation`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Remedy(StrEnum):
    """What is to be done about a break. Only the first three may be done without a person."""

    BOOK = "book what the broker recorded"
    FOLLOW = "move the order to the broker's status"
    ASK_AGAIN = "ask the broker again, by both ids, and halt the symbol if it stays"
    ADOPT = "take the order into the record, with an incident"
    ADOPT_EXTERNAL = "take it into the book of external orders, which is counted and never traded"
    HALT_SYMBOL = "halt the symbol until a person has explained it"
    HALT_ACCOUNT = "halt the account until a person has explained it"


class BreakKind(StrEnum):
    EXECUTION_NOT_BOOKED = "EXECUTION_NOT_BOOKED"
    BUST_NOT_BOOKED = "BUST_NOT_BOOKED"
    CORRECTION_NOT_BOOKED = "CORRECTION_NOT_BOOKED"
    ACTIVITY_NOT_BOOKED = "ACTIVITY_NOT_BOOKED"
    ORDER_IS_BEHIND = "ORDER_IS_BEHIND"
    ORDER_UNKNOWN_TO_BROKER = "ORDER_UNKNOWN_TO_BROKER"
    FILLED_QTY_DIFFERS = "FILLED_QTY_DIFFERS"
    RECORD_UNREADABLE = "RECORD_UNREADABLE"
    ORDER_LOST = "ORDER_LOST"
    ORDER_IS_EXTERNAL = "ORDER_IS_EXTERNAL"
    ORDER_TERMS_DIFFER = "ORDER_TERMS_DIFFER"
    ORDER_ENDED_OTHERWISE = "ORDER_ENDED_OTHERWISE"
    EXECUTION_UNKNOWN_TO_BROKER = "EXECUTION_UNKNOWN_TO_BROKER"
    EXECUTION_DIFFERS = "EXECUTION_DIFFERS"
    POSITION_DIFFERS = "POSITION_DIFFERS"
    AVERAGE_PRICE_DIFFERS = "AVERAGE_PRICE_DIFFERS"
    ORDER_SENT_TWICE = "ORDER_SENT_TWICE"
    ACTIVITY_UNKNOWN_TO_BROKER = "ACTIVITY_UNKNOWN_TO_BROKER"
    ACTIVITY_DIFFERS = "ACTIVITY_DIFFERS"
    CASH_DIFFERS = "CASH_DIFFERS"


_K = BreakKind

REMEDIES: Mapping[BreakKind, Remedy] = {
    **dict.fromkeys(
        (_K.EXECUTION_NOT_BOOKED, _K.BUST_NOT_BOOKED, _K.CORRECTION_NOT_BOOKED, _K.ACTIVITY_NOT_BOOKED), Remedy.BOOK
    ),
    _K.ORDER_IS_BEHIND: Remedy.FOLLOW,
    **dict.fromkeys((_K.ORDER_UNKNOWN_TO_BROKER, _K.FILLED_QTY_DIFFERS, _K.RECORD_UNREADABLE), Remedy.ASK_AGAIN),
    _K.ORDER_LOST: Remedy.ADOPT,
    _K.ORDER_IS_EXTERNAL: Remedy.ADOPT_EXTERNAL,
    **dict.fromkeys(
        (
            *(_K.ORDER_TERMS_DIFFER, _K.ORDER_ENDED_OTHERWISE, _K.EXECUTION_UNKNOWN_TO_BROKER),
            *(_K.EXECUTION_DIFFERS, _K.POSITION_DIFFERS, _K.AVERAGE_PRICE_DIFFERS),
        ),
        Remedy.HALT_SYMBOL,
    ),
    **dict.fromkeys(
        (_K.ORDER_SENT_TWICE, _K.ACTIVITY_UNKNOWN_TO_BROKER, _K.ACTIVITY_DIFFERS, _K.CASH_DIFFERS),
        Remedy.HALT_ACCOUNT,
    ),
}


@dataclass(frozen=True, slots=True, order=True)
class Break:
    """One thing that the two views do not agree on. `subject` is an id, a symbol, or "cash"."""

    kind: BreakKind
    subject: str
    symbol: str
    ours: str
    theirs: str

    @property
    def remedy(self) -> Remedy:
        return REMEDIES[self.kind]

    @property
    def is_account_wide(self) -> bool:
        """Whether it stops the whole account: by its remedy, or because no symbol can be named."""
        return self.remedy is Remedy.HALT_ACCOUNT or not self.symbol

    @property
    def adjustment_id(self) -> str:
        """The id of the adjustment that a person may book for it: the same break has the same one."""
        return hashlib.sha256("\0".join((self.kind, self.subject, self.ours, self.theirs)).encode()).hexdigest()


@dataclass(frozen=True, slots=True, order=True)
class Explained:
    """A difference whose cause is known and which will go away."""

    subject: str
    cause: str
    ours: str
    theirs: str
