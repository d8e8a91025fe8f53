"""What vendors' answers about companies have in common: lists of figures, and facts in nested objects. Pure.

What the fields are called belongs in the vendor's own adapter; rows of prices and actions, in vendor_rows.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from trading_assets.adapters.vendor_rows import Place, Quarantine
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure


@dataclass(slots=True)
class FigureList:
    """The figures in the answers to one question, and the rows set aside."""

    figures: dict[tuple[object, ...], ReportedFigure] = field(default_factory=dict)
    quarantine: Quarantine = field(default_factory=Quarantine)

    def add(self, figure: ReportedFigure, place: Place, raw: Any) -> None:
        """Take the figure; `raw` at `place` is set aside when its line, period and filing are there already."""
        key = (figure.statement, figure.item, figure.months, figure.period_end, figure.filed_at)
        if key in self.figures:
            what = f"{figure.item} of {figure.months} months to {figure.period_end}"
            self.quarantine.add(place, raw, f"{what} is there twice")
        else:
            self.figures[key] = figure


def facts_about(
    symbol: str, topic: str, content: object, response_id: int, left_out: frozenset[str] = frozenset()
) -> list[ObservedFact]:
    """The values in nested objects and lists, each named by its place; without the empty ones and those `left_out`."""
    facts = []
    for item, value in _flat(content, left_out):
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is None or math.isfinite(number):
            # No database takes a NUL.
            facts.append(ObservedFact(symbol, topic, item, str(value).replace("\0", ""), number, response_id))
    return facts


def _flat(content: object, left_out: frozenset[str], path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(content, dict):
        children = [(str(name), child) for name, child in content.items() if name not in left_out]
    elif isinstance(content, list):
        children = [(str(position), child) for position, child in enumerate(content)]
    else:
        if content is not None:
            yield path, content
        return
    for name, child in children:
        yield from _flat(child, left_out, f"{path}.{name}" if path else name)
