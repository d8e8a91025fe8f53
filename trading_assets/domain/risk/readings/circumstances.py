"""What every reading beside the account's own numbers begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading_assets.domain.risk.circumstances import Circumstances
from trading_assets.domain.risk.inputs import InputMissingError

if TYPE_CHECKING:
    from trading_assets.domain.risk.case import Case, Standing


def circumstances(asked: Standing | Case) -> Circumstances:
    """The snapshot's, or InputMissingError."""
    known = asked.snapshot.circumstances
    if known is None:
        raise InputMissingError("circumstances")
    return known
