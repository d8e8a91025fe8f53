"""Every kind of technical indicator as one table: what it means, what it reads, what it accepts and when it begins.

A kind is defined once, as a formula over TA-Lib functions. `indicators` evaluates it over a whole history and
`bar_by_bar` one bar at a time; neither knows a single indicator.
"""

from trading_assets.domain.strategy.indicator_kinds.averages import AVERAGES
from trading_assets.domain.strategy.indicator_kinds.bands import BANDS
from trading_assets.domain.strategy.indicator_kinds.direction import DIRECTION
from trading_assets.domain.strategy.indicator_kinds.kind import Kind
from trading_assets.domain.strategy.indicator_kinds.momentum import MOMENTUM
from trading_assets.domain.strategy.indicator_kinds.volatility import VOLATILITY
from trading_assets.domain.strategy.indicator_kinds.volume import VOLUME

KINDS: dict[str, Kind] = AVERAGES | BANDS | MOMENTUM | DIRECTION | VOLATILITY | VOLUME
"""Every kind of indicator by its name."""
