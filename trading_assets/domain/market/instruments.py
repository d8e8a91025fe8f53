"""What can be traded: the facts about a symbol that other stages look up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Instrument:
    """A listed security. `first_session` is the first one its source has bars of; None when the source cannot tell."""

    symbol: str
    name: str
    exchange: str
    is_tradable: bool
    is_shortable: bool = False
    asset_class: str = "us_equity"
    currency: str = "USD"
    sector: str | None = None
    first_session: date | None = None
