"""The bundled history: works without a key or a network, for the demonstration, rehearsals and tests.

Daily bars of AAPL, FB, GOOG, IBM and MSFT from the package bokeh-sampledata (2000-03-01 to 2013-03-01), and 40 sessions
of MSFT by the hour (2022-04-19 to 2022-06-14, sample_data/NOTICE). Corporate actions are recovered from the daily
adjusted closes, so there are none after 2013-03-01. A source of one file cannot be half right: any broken row, and any
row of a day without trading, refuses the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from trading_assets.adapters.bar_file import PRICES, BarFile, read_table
from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import CorporateAction, derive_actions
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import NEW_YORK, bar_bounds, is_session
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

HOURLY_FILE = Path(__file__).parent / "sample_data" / "hourly_MSFT_2022-04_2022-06.csv"
DAILY_COLUMNS = ["symbol", "session_date", "open", "high", "low", "close", "volume", "adj_close"]
HOURLY_COLUMNS = ["symbol", "mic", "ts", "open", "high", "low", "close", "volume", "n_source_bars"]
NAMES = {
    "AAPL": ("Apple Inc.", "NASDAQ", "Technology"),
    "FB": ("Facebook, Inc.", "NASDAQ", "Communication Services"),
    "GOOG": ("Google Inc.", "NASDAQ", "Communication Services"),
    "IBM": ("International Business Machines Corporation", "NYSE", "Technology"),
    "MSFT": ("Microsoft Corporation", "NASDAQ", "Technology"),
}


class SampleSource:
    """BarSource over the bundled files. Reads a file when it is first asked for, and keeps it."""

    name = "sample"

    def __init__(self, daily_file: Path | None = None, hourly_file: Path = HOURLY_FILE) -> None:
        self._daily_file = daily_file
        self._hourly_file = hourly_file

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        """The named instruments, in the order asked for. Raises NotFound."""
        self._ensure_known(symbols)
        firsts = self._daily.groupby("symbol")["session_date"].min()
        return [
            Instrument(
                symbol,
                name,
                exchange,
                is_tradable=True,
                # Each of them was among the most traded shares of its time.
                is_shortable=True,
                is_easy_to_borrow=True,
                sector=sector,
                first_session=firsts[symbol],
            )
            for symbol in symbols
            for name, exchange, sector in [NAMES[symbol]]
        ]

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: date, last: date, until: datetime
    ) -> pd.DataFrame:
        """Raw bars of the sessions first..last that have closed by `until`, columns BAR_COLUMNS, by symbol and ts.

        Empty where the files have nothing. Raises NotFound for an unknown symbol, ContractBroken for a broken row.
        """
        self._ensure_known(symbols)
        frame = self._hourly if timeframe is Timeframe.HOUR else self._daily
        chosen = frame[
            frame["symbol"].isin(symbols) & frame["session_date"].between(first, last) & (frame["closes_at"] <= until)
        ]
        return chosen[list(BAR_COLUMNS)].reset_index(drop=True)

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        """Splits (exact) and dividends (to the cent) with an ex-date in first..last."""
        self._ensure_known(symbols)
        return [action for action in self._actions if action.symbol in symbols and first <= action.ex_date <= last]

    def _ensure_known(self, symbols: Sequence[str]) -> None:
        if unknown := sorted(set(symbols) - set(NAMES)):
            raise NotFound(
                f"The sample has no {', '.join(unknown)}; it has {', '.join(NAMES)}. "
                "Change `universe` in trading.yaml, or choose another `source`."
            )

    @cached_property
    def _actions(self) -> list[CorporateAction]:
        return derive_actions(self._daily)

    @cached_property
    def _daily(self) -> pd.DataFrame:
        file = _read(self._daily_file or _bokeh_stocks(), DAILY_COLUMNS)
        frame = file.frame
        file.refuse("session_date", _days(frame["session_date"]).isna(), "is no date such as 2010-03-01")
        frame["session_date"] = _days(frame["session_date"]).dt.date
        _validate(file, [*PRICES, "adj_close"], key=["symbol", "session_date"])
        sessions = frame["session_date"].drop_duplicates()
        closed = set(sessions[~sessions.map(is_session)])
        file.refuse("session_date", frame["session_date"].isin(closed), "is a day without trading")
        bounds = {day: bar_bounds(day, Timeframe.SESSION)[0] for day in sessions}
        frame["ts"] = _utc(frame["session_date"].map(lambda day: bounds[day].ts))
        return self._completed(frame, Timeframe.SESSION, frame["session_date"].map(lambda day: bounds[day].closes_at))

    @cached_property
    def _hourly(self) -> pd.DataFrame:
        import pandas as pd

        file = _read(self._hourly_file, HOURLY_COLUMNS)
        frame = file.frame
        starts = pd.to_datetime(frame["ts"], utc=True, errors="coerce", format="ISO8601")
        file.refuse("ts", starts.isna(), "is no time such as 2022-04-19T13:30:00Z")
        frame["ts"] = _utc(starts)
        _validate(file, PRICES, key=["symbol", "ts"])
        frame["session_date"] = frame["ts"].dt.tz_convert(NEW_YORK).dt.date
        grid = {
            bounds.ts: bounds.closes_at
            for day in frame["session_date"].unique()
            if is_session(day)
            for bounds in bar_bounds(day, Timeframe.HOUR)
        }
        closes_at = frame["ts"].map(grid)
        file.refuse("ts", closes_at.isna(), "is not the start of an hour of a session (09:30 New York, 10:30 ...)")
        return self._completed(frame, Timeframe.HOUR, closes_at)

    def _completed(self, frame: pd.DataFrame, timeframe: Timeframe, closes_at: pd.Series) -> pd.DataFrame:
        frame["closes_at"] = _utc(closes_at)
        frame["timeframe"] = str(timeframe)
        frame["source"] = self.name
        return frame.sort_values(["symbol", "ts"], ignore_index=True)


def _bokeh_stocks() -> Path:
    from importlib.util import find_spec

    spec = find_spec("bokeh_sampledata")
    if spec is None or spec.origin is None:
        raise NotFound(
            "The package bokeh-sampledata is not installed: `pip install bokeh-sampledata`, or choose another `source`."
        )
    return Path(spec.origin).parent / "_data" / "stocks.csv.gz"


def _read(path: Path, columns: list[str]) -> BarFile:
    frame = read_table(path, _REINSTALL)
    if len(frame.columns) != len(columns):
        raise ContractBroken(f"{path} has {len(frame.columns)} columns, expected {len(columns)}. {_REINSTALL}")
    return BarFile(path, frame.set_axis(columns, axis=1), _REINSTALL)


def _validate(file: BarFile, prices: list[str], key: list[str]) -> None:
    file.ensure_bars(prices, key)
    file.refuse("symbol", ~file.frame["symbol"].isin(list(NAMES)), "is an unknown symbol")


def _days(values: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_datetime(values, format="%Y-%m-%d", errors="coerce")


def _utc(moments: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_datetime(moments, utc=True).astype("datetime64[us, UTC]")


_REINSTALL = "Nothing was read from it: restore the file (`make clean demo` installs the packages again)."
