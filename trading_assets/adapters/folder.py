"""Bars from a folder of Parquet and CSV files, for a history that a person brings along.

Each file has the columns symbol, ts (start of the bar), open, high, low, close (raw USD) and volume (shares). Its name
or one of its folders carries the length of its bars as a word: `1d/AAPL.csv`, `prices_1h.parquet`, `MSFT-5m.csv.gz`.
Hours and sessions that the folder lacks are added up from its 30m, 15m, 5m or 1m bars. A `corporate_actions.csv` in the
folder is optional, its columns are those of a CorporateAction; so is an `instruments.csv`, which says what can be
borrowed and what is a partnership. A broken row refuses its file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_assets.adapters.bar_file import PRICES, BarFile, read_table
from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction, DelistingReason
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.regrid import grid_of, regrid
from trading_assets.domain.market.sessions import FIRST_DAY, LAST_DAY, NEW_YORK
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["symbol", "ts", *PRICES, "volume"]
ACTIONS_FILE = "corporate_actions.csv"
INSTRUMENTS_FILE = "instruments.csv"
FLAGS = ("is_shortable", "is_easy_to_borrow", "is_unqualified_partnership")
"""Columns of the instruments' file beside `symbol`; an empty cell says nothing."""
PATTERNS = ("*.parquet", "*.csv", "*.csv.gz")
FINER_STEPS = {"30m": 30, "15m": 15, "5m": 5, "1m": 1}
"""Lengths of bars, in minutes, that can be added up to hours and sessions."""
LENGTHS = (*(str(timeframe) for timeframe in Timeframe), *FINER_STEPS)
CORRECT = "Nothing was read from it: correct the file, then run again."


class FolderSource:
    """BarSource over the files in `folder`. Reads a file when it is first asked for, and keeps it."""

    name = "folder"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, pd.DataFrame] = {}

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        """The symbols with the first session of their bars and what instruments.csv says of them; no names or sectors.

        Raises NotFound for a symbol without any bar.
        """
        firsts: dict[str, date] = {}
        for length in self._files:
            for symbol, day in self._bars_of(length).groupby("symbol")["session_date"].min().items():
                firsts[str(symbol)] = min(day, firsts.get(str(symbol), day))
        if unknown := sorted(set(symbols) - set(firsts)):
            raise NotFound(
                f"{self._folder} has no bars of {', '.join(unknown)}; it has {', '.join(sorted(firsts)) or 'none'}. "
                "Change `universe` in trading.yaml, or add a file."
            )
        return [
            replace(
                Instrument(symbol, symbol, "unknown", is_tradable=True, first_session=firsts[symbol]),
                **self._flags.get(symbol, {}),
            )
            for symbol in symbols
        ]

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: date, last: date, until: datetime
    ) -> pd.DataFrame:
        """Raw bars of the sessions first..last that have closed by `until`, columns BAR_COLUMNS, by symbol and ts.

        What lies outside regular hours is left out. A symbol's bars come from the files of `timeframe` itself, else
        from the coarsest finer ones. Empty where the folder has nothing. Raises ContractBroken for a broken row.
        """
        import pandas as pd

        wanted, frames = set(symbols), []
        for length in (str(timeframe), *FINER_STEPS):
            if length in self._files and wanted:
                bars = self._bars_of(length)
                bars = bars[bars["symbol"].isin(wanted)]
                wanted -= set(bars["symbol"])
                bars = bars[bars["session_date"].between(first, last)]
                if length in FINER_STEPS:
                    bars = regrid(bars, timeframe, timedelta(minutes=FINER_STEPS[length]))
                frames.append(bars[bars["closes_at"] <= until])
        if not frames:
            return pd.DataFrame(columns=list(BAR_COLUMNS))
        found = pd.concat(frames).sort_values(["symbol", "ts"], ignore_index=True)
        return found.assign(timeframe=str(timeframe), source=self.name)[list(BAR_COLUMNS)]

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        """The actions of corporate_actions.csv with an ex-date in first..last; none without the file."""
        return [action for action in self._actions if action.symbol in symbols and first <= action.ex_date <= last]

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        """The files by length of their bars."""
        if not self._folder.is_dir():
            raise NotFound(f"{self._folder} is no folder: correct `folder` in trading.yaml.")
        paths = sorted(path for pattern in PATTERNS for path in self._folder.rglob(pattern))
        files: dict[str, list[Path]] = {}
        for path in paths:
            if path.name not in (ACTIONS_FILE, INSTRUMENTS_FILE):
                files.setdefault(_length(path.relative_to(self._folder)), []).append(path)
        return files

    def _bars_of(self, length: str) -> pd.DataFrame:
        """The bars inside regular hours of all files of one length: COLUMNS, closes_at and session_date."""
        import pandas as pd

        if length not in self._read:
            files = [_read_bars(path, length) for path in self._files[length]]
            _ensure_once(files)
            self._read[length] = pd.concat([file.frame for file in files], ignore_index=True)
        return self._read[length]

    @cached_property
    def _actions(self) -> list[CorporateAction]:
        path = self._folder / ACTIONS_FILE
        return _read_actions(path) if path.is_file() else []

    @cached_property
    def _flags(self) -> dict[str, dict[str, Any]]:
        path = self._folder / INSTRUMENTS_FILE
        return _read_flags(path) if path.is_file() else {}


def _length(path: Path) -> str:
    words = {word for part in path.parts for word in re.split(r"[^0-9a-z]+", part.lower())}
    named = [length for length in LENGTHS if length in words]
    if len(named) != 1:
        raise ContractBroken(
            f"{path} does not name one length of its bars: put one of {', '.join(LENGTHS)} into its name, "
            "such as prices_1d.csv, or the file into a folder of that name."
        )
    return named[0]


def _read_bars(path: Path, length: str) -> BarFile:
    """The file's bars inside regular hours, as COLUMNS with closes_at and session_date. Raises ContractBroken."""
    frame = read_table(path, CORRECT, as_text=True)
    if missing := [column for column in COLUMNS if column not in frame.columns]:
        raise ContractBroken(f"{path} has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}.")
    file = BarFile(path, frame[COLUMNS].copy(), CORRECT)
    file.refuse("symbol", file.frame["symbol"].isin([None, ""]), "is empty")
    is_daily = length == Timeframe.SESSION
    if is_daily:
        _place_days(file)
    else:
        _place_moments(file, length)
    file.ensure_bars(PRICES, ["symbol", "session_date"] if is_daily else ["symbol", "ts"])
    # Kept for the whole run, so without the rows nobody may trade on.
    return BarFile(path, file.frame[file.frame["closes_at"].notna()], CORRECT)


def _place_days(file: BarFile) -> None:
    """Session and bounds of each daily row: of the day as written at midnight, else of its New York day."""
    import pandas as pd

    frame = file.frame
    # Text again, because only text tells a day from a moment in one way for CSV and Parquet.
    written = frame["ts"].astype(str).str.strip()
    is_day = written.str.fullmatch(r"\d{4}-\d\d-\d\d(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")
    moments = pd.to_datetime(written.where(~is_day), utc=True, errors="coerce", format="ISO8601")
    written_days = pd.to_datetime(written.where(is_day).str[:10], errors="coerce", format="%Y-%m-%d")
    local = written_days.where(is_day, moments.dt.tz_convert(NEW_YORK).dt.tz_localize(None))
    file.refuse("ts", local.isna(), "is no day such as 2024-07-02")
    days = _covered(file, local)
    grid = grid_of(days.unique(), Timeframe.SESSION).set_index("session_date")
    file.refuse("ts", ~days.isin(grid.index), "is a day without trading")
    frame["session_date"] = days
    for column in ("ts", "closes_at"):
        frame[column] = days.map(grid[column])


def _place_moments(file: BarFile, length: str) -> None:
    """Session and bounds of each intraday row; empty bounds outside regular hours."""
    import pandas as pd

    frame = file.frame
    text = frame["ts"].astype(str).str.strip()
    file.refuse(
        "ts", ~text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$"), "has no time zone: write it as 2024-07-02T13:30:00Z"
    )
    moments = pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601").astype("datetime64[us, UTC]")
    file.refuse("ts", moments.isna(), "is no time such as 2024-07-02T13:30:00Z")
    days = _covered(file, moments.dt.tz_convert(NEW_YORK).dt.tz_localize(None))
    sessions = grid_of(days.unique(), Timeframe.SESSION).set_index("session_date")
    opens_at, session_closes_at = days.map(sessions["ts"]), days.map(sessions["closes_at"])
    is_regular = (moments >= opens_at) & (moments < session_closes_at)
    step = timedelta(hours=1) if length == Timeframe.HOUR else timedelta(minutes=FINER_STEPS[length])
    is_off_grid = is_regular & ((moments - opens_at).dt.total_seconds() % step.total_seconds() != 0)
    file.refuse("ts", is_off_grid, f"is not the start of a {length} bar of a session (09:30 New York and every {step})")
    frame["ts"], frame["session_date"] = moments, days
    ends = moments + step
    frame["closes_at"] = ends.where(ends < session_closes_at, session_closes_at).where(is_regular)


def _covered(file: BarFile, moments: pd.Series[pd.Timestamp]) -> pd.Series[date]:
    """The dates of naive New York `moments`. Raises ContractBroken for one that the calendar does not cover."""
    days = moments.dt.date
    outside = (days < FIRST_DAY) | (days > LAST_DAY)
    file.refuse("ts", outside, f"lies outside the calendar of sessions ({FIRST_DAY} to {LAST_DAY})")
    return days


def _ensure_once(files: Sequence[BarFile]) -> None:
    """Refuse a bar that two files have: nobody can say which one is right."""
    import pandas as pd

    keys = pd.concat([file.frame[["symbol", "ts"]].assign(path=str(file.path)) for file in files], ignore_index=True)
    repeated = keys[keys.duplicated(["symbol", "ts"], keep=False)]
    if len(repeated):
        symbol, ts = repeated.iloc[0]["symbol"], repeated.iloc[0]["ts"]
        paths = repeated.loc[(repeated["symbol"] == symbol) & (repeated["ts"] == ts), "path"]
        raise ContractBroken(f"{symbol} {ts} is in {' and in '.join(paths)}: keep it in one file, then run again.")


def _read_actions(path: Path) -> list[CorporateAction]:
    frame = read_table(path, CORRECT, as_text=True)
    needed = ["symbol", "ex_date", "kind"]
    if missing := [column for column in needed if column not in frame.columns]:
        raise ContractBroken(f"{path} has no column {', '.join(missing)}; it has {', '.join(frame.columns)}.")
    file = BarFile(path, frame, CORRECT)
    actions = []
    for row, cells in enumerate(frame.to_dict("records")):
        try:
            actions.append(_action({str(column): str(cell).strip() for column, cell in cells.items()}))
        except ValueError as error:
            raise ContractBroken(f"{path}, {file.place(row)}: {error}. {CORRECT}") from error
    return actions


def _action(cells: dict[str, str]) -> CorporateAction:
    """The action in one row. Raises ValueError naming the column."""
    if cells["kind"] not in list(ActionKind):
        raise ValueError(f"kind {cells['kind']!r} is none of {', '.join(ActionKind)}")
    kind = ActionKind(cells["kind"])
    needed = list(NEEDED_TERMS[kind])
    if kind is ActionKind.DELISTING and (cells.get("new_symbol") or cells.get("share_ratio")):
        needed += ["new_symbol", "share_ratio"]
    wanted = needed + [column for column in OPTIONAL_TERMS.get(kind, ()) if cells.get(column)]
    terms = {column: TERMS[column](column, cells.get(column, "")) for column in wanted}
    if needless := [column for column in TERMS if cells.get(column) and column not in terms]:
        raise ValueError(f"{needless[0]} {cells[needless[0]]!r} says nothing about a {kind}")
    return CorporateAction(symbol=cells["symbol"], ex_date=_day("ex_date", cells["ex_date"]), kind=kind, **terms)


def _read_flags(path: Path) -> dict[str, dict[str, Any]]:
    """Those of the FLAGS that are said, by symbol. Raises ContractBroken."""
    file = BarFile(path, read_table(path, CORRECT, as_text=True), CORRECT)
    columns = [str(column) for column in file.frame.columns]
    if "symbol" not in columns or not set(columns) <= {"symbol", *FLAGS}:
        raise ContractBroken(f"{path} has {', '.join(columns)}; its columns are symbol and any of {', '.join(FLAGS)}.")
    file.refuse("symbol", file.frame.duplicated("symbol"), "is listed twice")
    flags: dict[str, dict[str, Any]] = {symbol: {} for symbol in file.frame["symbol"]}
    for flag in set(columns) - {"symbol"}:
        said = file.frame[flag].str.strip().str.lower()
        file.refuse(flag, ~said.isin(["true", "false", ""]), "is neither true nor false")
        for symbol, text in zip(file.frame["symbol"], said, strict=True):
            if text:
                flags[symbol][flag] = text == "true"
    return flags


def _symbol(column: str, text: str) -> str:
    if not text:
        raise ValueError(f"{column} is empty")
    return text


def _reason(column: str, text: str) -> DelistingReason:
    if text not in list(DelistingReason):
        raise ValueError(f"{column} {text!r} is none of {', '.join(DelistingReason)}")
    return DelistingReason(text)


def _day(column: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{column} {text!r} is no date such as 2024-07-02") from error


def _positive(column: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{column} {text!r} is no number") from error
    if not (number.is_finite() and number > 0):
        raise ValueError(f"{column} {text} is not positive")
    return number


TERMS: dict[str, Callable[[str, str], Any]] = {
    "split_ratio": _positive,
    "amount_usd": _positive,
    "pay_date": _day,
    "new_symbol": _symbol,
    "share_ratio": _positive,
    "value_usd": _positive,
    "reason": _reason,
}
"""How the columns that not every kind has are read."""
NEEDED_TERMS = {
    ActionKind.SPLIT: ("split_ratio",),
    ActionKind.CASH_DIVIDEND: ("amount_usd",),
    ActionKind.STOCK_DIVIDEND: ("share_ratio",),
    ActionKind.SPIN_OFF: ("new_symbol", "share_ratio"),
    ActionKind.RENAME: ("new_symbol",),
    ActionKind.DELISTING: ("reason",),
}
OPTIONAL_TERMS = {
    ActionKind.CASH_DIVIDEND: ("pay_date",),
    ActionKind.SPIN_OFF: ("value_usd",),
    ActionKind.DELISTING: ("amount_usd", "pay_date"),
}
