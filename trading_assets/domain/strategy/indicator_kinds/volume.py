"""What volume says of the price."""

from __future__ import annotations

from trading_assets.domain.strategy.indicator_kinds.kind import (
    FAST_SLOW,
    RANGE_CLOSE_VOLUME,
    Kind,
    bars,
    one_period,
    window_of_bars,
)

_CHAIKIN = 'Chaikin, as in Achelis, "Technical Analysis from A to Z", 2nd edition, 2000'

VOLUME: dict[str, Kind] = {
    "obv": Kind(
        "On-balance volume since the symbol's first bar",
        (),
        ("close", "volume"),
        "shares",
        lambda: 0,
        lambda ta, close, volume: ta("OBV", close, volume),
        'Granville, "New Key to Stock Market Profits", 1963',
    ),
    "ad": Kind(
        "Chaikin's accumulation and distribution line since the symbol's first bar",
        (),
        RANGE_CLOSE_VOLUME,
        "shares",
        lambda: 0,
        lambda ta, high, low, close, volume: ta("AD", high, low, close, volume),
        _CHAIKIN,
    ),
    "adosc": Kind(
        "Chaikin oscillator: fast minus slow exponential average of the accumulation and distribution line",
        (bars("fast", 3), bars("slow", 10)),
        RANGE_CLOSE_VOLUME,
        "shares",
        lambda _, slow: slow - 1,
        lambda ta, high, low, close, volume, fast, slow: ta("ADOSC", high, low, close, volume, fast, slow),
        _CHAIKIN,
        FAST_SLOW,
    ),
    "cmf": Kind(
        "Chaikin money flow, -1 to 1",
        one_period(20),
        RANGE_CLOSE_VOLUME,
        "ratio",
        window_of_bars,
        lambda ta, high, low, close, volume, period: ta("CMF", high, low, close, volume, period),
        _CHAIKIN,
    ),
    "dollar_volume": Kind(
        "Simple average of close x volume",
        one_period(20),
        ("close", "volume"),
        "usd",
        window_of_bars,
        lambda ta, close, volume, period: ta("SMA", close * volume, period),
        'Amihud, "Illiquidity and Stock Returns", Journal of Financial Markets 5:1, 2002',
    ),
}
