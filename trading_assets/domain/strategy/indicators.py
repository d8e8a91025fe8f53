"""Technical indicators that strategies declare: their names, and their values over the whole history of every symbol.

Point in time by construction. A symbol's indicators are computed from its first bar onwards, on forward-adjusted
prices (raw price x product of the factors of all actions up to that bar), so a value depends on its own bar and on
earlier ones only: neither on later bars and actions nor on the range asked for. The same bars give the same bytes.
The kinds themselves are in `indicator_kinds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trading_assets.domain.strategy.indicator_kinds import KINDS
from trading_assets.domain.strategy.indicator_kinds.kind import LAG, UNITS, Field, Parameter, Unit

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

MOST_DECIMALS = 4


class UnknownIndicatorError(ValueError):
    """No indicator of that kind, or parameters that it does not accept."""


@dataclass(frozen=True, slots=True, order=True, init=False)
class Indicator:
    """An indicator that a strategy declares: `Indicator("sma", 20)`, `Indicator("bollinger_upper", 20, 2.0)`.

    The parameters in the order of KINDS[kind].parameters. Raises UnknownIndicatorError.
    """

    kind: str
    parameters: tuple[int | float, ...]

    def __init__(self, kind: str, *parameters: int | float) -> None:
        if kind not in KINDS:
            raise UnknownIndicatorError(f"No indicator is called {kind!r}: choose one of {', '.join(sorted(KINDS))}.")
        accepted = KINDS[kind].parameters
        if len(parameters) != len(accepted):
            names = ", ".join(parameter.name for parameter in accepted) or "no parameters"
            raise UnknownIndicatorError(f"{kind} takes {names}: {len(accepted)} numbers, not {len(parameters)}.")
        numbers = [_accepted(kind, parameter, value) for parameter, value in zip(accepted, parameters, strict=True)]
        _require_ascending(kind, dict(zip((parameter.name for parameter in accepted), numbers, strict=True)))
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "parameters", tuple(numbers))

    @property
    def column(self) -> str:
        """The stable name of its column in frames and in strategy.indicators: `sma_20`, `bollinger_upper_20_2p5`."""
        return "_".join((self.kind, *(_plain(number).replace(".", "p") for number in self.parameters)))

    @property
    def unit(self) -> Unit:
        """What its values are counted in: see indicator_kinds.UNITS."""
        return KINDS[self.kind].unit

    @property
    def warm_up(self) -> int:
        """How many leading bars of a symbol have no value (NaN)."""
        return KINDS[self.kind].warm_up(*self.parameters)

    @property
    def description(self) -> str:
        kind = KINDS[self.kind]
        named = [
            (parameter.name, _plain(value)) for parameter, value in zip(kind.parameters, self.parameters, strict=True)
        ]
        match named:
            case []:
                scope = ""
            case [("period", period)]:
                scope = f" over {period} bars"
            case _:
                scope = "".join(f", {name.replace('_', ' ')} {value}" for name, value in named)
        return f"{kind.title}{scope}, {UNITS[kind.unit]}"


def _accepted(kind: str, parameter: Parameter, value: Any) -> int | float:
    is_number = isinstance(value, int if parameter.is_whole else (int, float)) and not isinstance(value, bool)
    if is_number and parameter.minimum <= value <= parameter.maximum:
        if parameter.is_whole:
            return int(value)
        if round(value, MOST_DECIMALS) == value:
            return float(value)
    expected = "a whole number of bars" if parameter.is_whole else f"a number with at most {MOST_DECIMALS} decimals"
    raise UnknownIndicatorError(
        f"{kind}: {parameter.name} {value!r} must be {expected} from {parameter.minimum} to {parameter.maximum}."
    )


def _require_ascending(kind: str, numbers: dict[str, int | float]) -> None:
    for smaller, larger in pairwise(KINDS[kind].ascending):
        if not numbers[smaller] < numbers[larger]:
            raise UnknownIndicatorError(
                f"{kind}: {smaller} {numbers[smaller]} must be smaller than {larger} {numbers[larger]}."
            )


def _plain(number: int | float) -> str:
    """`20`, `2`, `2.5`, `0.0001`: without an exponent and without trailing zeros."""
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def compute(bars: pd.DataFrame, factors: npt.ArrayLike, indicators: Sequence[Indicator]) -> pd.DataFrame:
    """One float64 column an indicator, once even if named twice, row for row with `bars`; NaN while a symbol warms up.

    `bars`: symbol, ts and the columns that the indicators read of open, high, low, close (raw USD) and volume (raw
    shares), one timeframe, sorted by symbol and ts, each symbol from its first bar. `factors`: one positive number a
    bar, such that raw price x factor is the forward-adjusted price and raw volume / factor the adjusted volume. Values
    are converted back into the raw units of their own bar. Raises ValueError.
    """
    import pandas as pd

    raw, factor = checked_inputs(bars, factors, indicators)
    distinct = list(dict.fromkeys(indicators))
    # One row an indicator: each column of the frame is contiguous, and the frame takes the memory as it is.
    values = np.empty((len(distinct), len(bars)))
    for rows in symbol_slices(bars):
        own_factor = factor[rows]
        ta = Batch()
        adjusted = {field: column[rows] * adjusted_units(unit_of(field), own_factor) for field, column in raw.items()}
        for number, indicator in enumerate(distinct):
            worth = adjusted_units(indicator.unit, own_factor)
            np.divide(evaluate(ta, indicator, adjusted), worth, out=values[number, rows])
    names = [indicator.column for indicator in distinct]
    return pd.DataFrame(values.T, index=bars.index, columns=names, copy=False)


def checked_inputs(
    bars: pd.DataFrame, factors: npt.ArrayLike, indicators: Sequence[Indicator]
) -> tuple[dict[Field, Floats], Floats]:
    """The columns of `bars` that the indicators read, and the factors. Raises ValueError."""
    factor = np.asarray(factors, dtype=np.float64)
    if factor.shape != (len(bars),) or not bool(np.all((factor > 0) & np.isfinite(factor))):
        raise ValueError(f"Indicators need one positive, finite factor for each of the {len(bars)} bars.")
    fields = sorted({field for indicator in indicators for field in KINDS[indicator.kind].inputs})
    if missing := [field for field in fields if field not in bars.columns]:
        raise ValueError(f"Indicators need the columns {', '.join(missing)} of the bars.")
    return {field: bars[field].to_numpy(dtype=np.float64) for field in fields}, factor


def adjusted_units(unit: Unit, factor: Any) -> Any:
    """How many units of the forward-adjusted series one raw unit of the bar with that factor is worth.

    Adjusted volume is raw volume / factor, so that price x volume stays what it was.
    """
    match unit:
        case "price":
            return factor
        case "price_squared":
            return factor * factor
        case "shares":
            return 1.0 / factor
        case "usd" | "ratio":
            return 1.0


def unit_of(field: Field) -> Unit:
    return "shares" if field == "volume" else "price"


def evaluate(ta: Callable[..., Any], indicator: Indicator, adjusted: dict[Field, Any]) -> Any:
    """The indicator's values on a symbol's adjusted bars, or on the numbers of one bar, by the functions of `ta`."""
    kind = KINDS[indicator.kind]
    return kind.formula(ta, *(adjusted[field] for field in kind.inputs), *indicator.parameters)


class Batch:
    """TA-Lib's functions over whole arrays; the same call of two indicators (three lines of a MACD) is made once."""

    def __init__(self) -> None:
        # The arguments are kept with the result: an array that lives keeps its id.
        self._known: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = {}

    def __call__(self, function: str, *arguments: Any) -> Any:
        key = (function, *(id(one) if isinstance(one, np.ndarray) else one for one in arguments))
        if key not in self._known:
            self._known[key] = arguments, self._call(function, arguments)
        return self._known[key][1]

    @staticmethod
    def _call(function: str, arguments: tuple[Any, ...]) -> Any:
        import talib

        return lagged(*arguments) if function == LAG else getattr(talib, function)(*arguments)


def lagged(values: Floats) -> Floats:
    """Each value one bar later, NaN first."""
    return np.concatenate(([np.nan], values[:-1]))[: len(values)]


def symbol_slices(bars: pd.DataFrame) -> Iterator[slice]:
    """The rows of each symbol. Raises ValueError unless a symbol's rows stand together, by ts, without doubles."""
    import pandas as pd

    if bars.empty:
        return
    # The column's own comparison: as objects, a million names cost a hundred times as much as the rest.
    symbols = bars["symbol"].array
    times = pd.DatetimeIndex(bars["ts"]).asi8
    is_new = np.asarray(symbols[1:] != symbols[:-1], dtype=bool)
    is_in_order = is_new | (times[1:] > times[:-1])
    if not bool(is_in_order.all()):
        row = int(np.flatnonzero(~is_in_order)[0]) + 1
        raise ValueError(
            f"Bars must be sorted by symbol and ts without doubles: row {row} "
            f"({symbols[row]} {bars['ts'].iloc[row]}) does not come after the one before it."
        )
    starts = [0, *(np.flatnonzero(is_new) + 1).tolist(), len(bars)]
    if len({symbols[start] for start in starts[:-1]}) != len(starts) - 1:
        raise ValueError("Bars must be sorted by symbol and ts: the rows of one symbol do not stand together.")
    yield from (slice(start, stop) for start, stop in pairwise(starts))
