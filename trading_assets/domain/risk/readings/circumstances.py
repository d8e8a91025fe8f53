"""What every reading beside the account's own numbers begins with."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from trading_assets.domain.market.order_prices import limit_beyond
from trading_assets.domain.risk.circumstances import Circumstances, OrderTerms
from trading_assets.domain.risk.inputs import InputMissingError, positive
from trading_assets.domain.risk.intents import OPENING

if TYPE_CHECKING:
    from trading_assets.domain.risk.case import Case, Standing


def circumstances(asked: Standing | Case) -> Circumstances:
    """The snapshot's, or InputMissingError."""
    known = asked.snapshot.circumstances
    if known is None:
        raise InputMissingError("circumstances")
    return known


def terms_of(case: Case) -> OrderTerms:
    """The order that the intent becomes."""
    known, intent = circumstances(case), case.intent
    return known.entries.get(intent.strategy, known.terms) if intent.purpose in OPENING else known.terms


def limit_usd(case: Case) -> Decimal | None:
    """The limit of that order in USD; None when it has none."""
    terms, symbol = terms_of(case), case.intent.symbol
    if terms.limit_offset_bps is None:
        return terms.limit_usd
    reference = positive(case.snapshot.reference_prices.get(symbol), "reference_prices", symbol)
    return limit_beyond(reference, case.intent.side, terms.limit_offset_bps)
