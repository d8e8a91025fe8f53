"""The table of indicators in docs/guides/strategies.md is what the platform computes."""

from __future__ import annotations

from pathlib import Path

from trading_assets.domain.strategy.indicator_kinds import KINDS
from trading_assets.domain.strategy.indicator_kinds.kind import UNITS, Kind
from trading_assets.domain.strategy.indicators import Indicator

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "strategies.md"
TITLES = ("indicator", "what it is", "parameters", "in", "reads", "first value after", "reference")
HEAD = f"| {' | '.join(TITLES)} |\n{'|---' * len(TITLES)}|\n"


def row(name: str, kind: Kind) -> str:
    usual = Indicator(name, *(parameter.usual for parameter in kind.parameters))
    written = ", ".join((f'"{name}"', *(f"{number:g}" for number in usual.parameters)))
    accepted = [f"{one.name} {one.minimum:g} to {one.maximum:g}" for one in kind.parameters]
    reads = ", ".join(kind.inputs)
    warm_up = "no bar" if usual.warm_up == 0 else f"{usual.warm_up} bar{'s' if usual.warm_up > 1 else ''}"
    cells = (f"`{written}`", kind.title, ", ".join(accepted), UNITS[kind.unit], reads, warm_up, kind.reference)
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |")


def test_guide_lists_every_indicator_as_it_is_computed():
    table = HEAD + "".join(row(name, kind) for name, kind in KINDS.items())
    assert table in GUIDE.read_text(), f"Write this table into the chapter on indicators of {GUIDE.name}:\n\n{table}"


def test_there_are_at_least_forty_indicators():
    assert len(KINDS) >= 40
