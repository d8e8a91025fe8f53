"""What Yahoo's answers say: from the stored bodies of a question to raw bars, corporate actions and instruments.

Pure: the same bodies always give the same rows, today and when they are read again. Asking belongs in yahoo.py.
Yahoo's prices, volumes and dividends are adjusted for splits as of the moment of the answer; here they are made raw
with the splits in the same answer, so every chart is asked for up to that moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_gateway import Fetch, Page, QuarantinedRow, json_object
from trading_assets.adapters.vendor_rows import Place, Quarantine, explain
from trading_assets.domain.market.adjust import PRICES, unadjust_splits
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.regrid import grid_of
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import Timeframe, decimal_of

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "yahoo"
CHART_PATH = "/v8/finance/chart/"
PROFILE_PATH = "/v10/finance/quoteSummary/"
SETTLING = timedelta(minutes=30)
"""After this long Yahoo has everything, even where its time of the last trade lies before the end of a bar."""
PRICE_DECIMALS = 4
"""US prices have no finer tick; Yahoo's 32-bit floats carry noise beyond it, which changes with every split."""
CENT_OF_A_CENT = Decimal("0.0001")

Price = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
"""USD as adjusted by Yahoo: after many reverse splits an old price is a number of ten digits."""
Moment = Annotated[int, Field(ge=0, le=4_102_444_800)]
"""Seconds since 1970, before 2100."""


class _Wire(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _Meta(_Wire):
    symbol: str
    currency: str | None = None
    exchangeTimezoneName: str  # noqa: N815  Yahoo's name
    dataGranularity: str  # noqa: N815  Yahoo's name
    regularMarketTime: Moment | None = None  # noqa: N815  Yahoo's name
    firstTradeDate: int | None = None  # noqa: N815  Yahoo's name
    fullExchangeName: str | None = None  # noqa: N815  Yahoo's name
    longName: str | None = None  # noqa: N815  Yahoo's name
    shortName: str | None = None  # noqa: N815  Yahoo's name


class _Quote(_Wire):
    open: list[Any] = []
    high: list[Any] = []
    low: list[Any] = []
    close: list[Any] = []
    volume: list[Any] = []


class _Indicators(_Wire):
    quote: Annotated[list[_Quote], Field(min_length=1)]


class _Split(_Wire):
    date: Moment
    numerator: Price
    denominator: Price


class _Dividend(_Wire):
    date: Moment
    amount: Price


class _Events(_Wire):
    splits: dict[str, _Split] = {}
    dividends: dict[str, Any] = {}


class _Chart(_Wire):
    meta: _Meta
    timestamp: list[Any] = []
    indicators: _Indicators
    events: _Events = _Events()


class BarRow(_Wire):
    ts: Moment
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _high_and_low_enclose(self) -> BarRow:
        if self.high < max(self.open, self.low, self.close) or self.low > min(self.open, self.close):
            raise ValueError("high and low do not enclose the prices of the bar")
        return self


class _Question(BaseModel):
    """What a chart was asked for, as it is stored with the answer."""

    symbol: str
    first: date
    last: date
    asked_at: datetime


class BarQuestion(_Question):
    """What bars were asked for; `until`: bars that close later are not final."""

    timeframe: Timeframe
    until: datetime


def yahoo_symbol(symbol: str) -> str:
    """Yahoo's spelling: BRK.B is BRK-B there."""
    return symbol.replace(".", "-")


def bars_in(fetch: Fetch) -> tuple[pd.DataFrame, list[QuarantinedRow]]:
    """The raw bars (BAR_COLUMNS and response_id) in the answer to a question for bars, and the rows that are none.

    Left out without a trace in the quarantine: rows without any price, extended hours, the quote that Yahoo appends,
    and bars that were not final when Yahoo answered. Raises ContractBroken for an answer of another symbol, currency,
    exchange time zone or granularity.
    """
    question = BarQuestion.model_validate(fetch.question)
    if not fetch.pages:
        return _placed([], question, question.until).assign(response_id=0), []
    page = fetch.pages[-1]
    chart = chart_of(page, question.symbol, question.timeframe)
    rows, quarantined = rows_of(chart, page)
    bars = _placed(rows, question, final_by(chart, question))
    return made_raw(bars, chart, page, question), quarantined


def actions_in(fetch: Fetch) -> tuple[list[CorporateAction], list[QuarantinedRow]]:
    """Splits and dividends with an ex-date in the question's range, and the dividends that are none.

    Dividends are given per share of their own day. Raises ContractBroken, also for a broken split: without it every
    price before it would be wrong.
    """
    question = _Question.model_validate(fetch.question)
    if not fetch.pages:
        return [], []
    page = fetch.pages[-1]
    chart = chart_of(page, question.symbol, Timeframe.SESSION)
    splits, quarantine = splits_of(chart, page, question), Quarantine()
    actions = list(splits)
    for position, (key, row) in enumerate(chart.events.dividends.items()):
        try:
            dividend = _Dividend.model_validate(row)
        except ValidationError as error:
            quarantine.add(Place(page.response_id, "events.dividends", position), {key: row}, explain(error))
        else:
            actions.append(_dividend_of(dividend, splits, page, question))
    wanted = [action for action in actions if question.first <= action.ex_date <= question.last]
    return sorted(wanted, key=lambda action: (action.ex_date, action.kind)), quarantine.rows


def instrument_in(fetch: Fetch) -> Instrument:
    """Name, exchange and first session from a chart, the sector from a profile where Yahoo has one.

    Raises ContractBroken.
    """
    symbol = str(fetch.question["symbol"])
    chart = chart_of(next(page for page in fetch.pages if CHART_PATH in page.url), symbol, Timeframe.SESSION)
    profile = next((page for page in fetch.pages if PROFILE_PATH in page.url), None)
    meta = chart.meta
    return Instrument(
        symbol=symbol,
        name=meta.longName or meta.shortName or symbol,
        exchange=meta.fullExchangeName or "unknown",
        is_tradable=True,
        sector=_sector_of(profile) if profile else None,
        first_session=None if meta.firstTradeDate is None else _new_york_day(meta.firstTradeDate),
    )


def final_by(chart: _Chart, question: BarQuestion) -> datetime:
    """Bars that close later than this may still change."""
    last_trade = datetime.fromtimestamp(chart.meta.regularMarketTime or 0, UTC)
    return min(question.until, max(last_trade, question.asked_at - SETTLING))


def made_raw(bars: pd.DataFrame, chart: _Chart, page: Page, question: BarQuestion) -> pd.DataFrame:
    """The bars of a chart without Yahoo's adjustment for splits, and with the response they came from."""
    raw = unadjust_splits(bars, splits_of(chart, page, question), question.asked_at.astimezone(NEW_YORK).date())
    raw[PRICES] = raw[PRICES].round(PRICE_DECIMALS)
    raw["volume"] = raw["volume"].round()
    return raw.assign(response_id=page.response_id)


def explanation(body: bytes) -> str:
    """Why Yahoo has no chart, in its own words. Raises ContractBroken when the body does not say."""
    try:
        return str(json_object(body)["chart"]["error"]["description"])
    except (KeyError, TypeError) as error:
        raise ContractBroken("Yahoo refused a chart without saying why. Nothing was stored from it.") from error


def chart_of(page: Page, symbol: str, granularity: str) -> _Chart:
    """The chart in an answer. Raises ContractBroken for another symbol, currency, time zone or length of the bars."""
    where = f"yahoo, {page.url} (response {page.response_id})"
    document = json_object(page.body)
    try:
        chart = _Chart.model_validate(document["chart"]["result"][0])
    except (KeyError, TypeError, IndexError) as error:
        raise ContractBroken(f"{where}: no chart in the answer. Nothing was stored from it.") from error
    except ValidationError as error:
        raise ContractBroken(f"{where}: {explain(error)}. Nothing was stored from it.") from error
    quote, meta = chart.indicators.quote[0], chart.meta
    lengths = {len(chart.timestamp), *(len(getattr(quote, column)) for column in (*PRICES, "volume"))}
    complaints = {
        f"the answer is about {meta.symbol}, asked was {symbol}": meta.symbol != yahoo_symbol(symbol),
        f"{symbol} is quoted in {meta.currency}, not in USD": meta.currency != "USD",
        f"{symbol} trades in {meta.exchangeTimezoneName}": meta.exchangeTimezoneName != str(NEW_YORK),
        f"the bars are {meta.dataGranularity} long, not {granularity}": meta.dataGranularity != granularity,
        f"the columns have different lengths, {sorted(lengths)}": len(lengths) > 1,
    }
    if complaint := next((text for text, is_true in complaints.items() if is_true), None):
        raise ContractBroken(f"{where}: {complaint}. Nothing was stored from it.")
    return chart


def rows_of(chart: _Chart, page: Page) -> tuple[list[BarRow], list[QuarantinedRow]]:
    """The good rows in order; broken ones, and all of several that contradict each other, are set aside."""
    quote = chart.indicators.quote[0]
    columns = (chart.timestamp, quote.open, quote.high, quote.low, quote.close, quote.volume)
    names = ("ts", *PRICES, "volume")
    good: dict[int, tuple[int, BarRow]] = {}
    contradicting: Counter[int] = Counter()
    aside: list[tuple[int, str]] = []
    for position, values in enumerate(zip(*columns, strict=True)):
        if all(price is None for price in values[1:5]):
            continue
        try:
            row = BarRow.model_validate(dict(zip(names, values, strict=True)))
        except ValidationError as error:
            aside.append((position, explain(error)))
            continue
        if row.ts not in good:
            good[row.ts] = (position, row)
        elif good[row.ts][1] == row:
            aside.append((position, f"ts: {row.ts} is there twice with the same values"))
        else:
            contradicting[row.ts] += 1
            aside.append((position, f"ts: {row.ts} is there twice with different values"))
    aside += [(good.pop(ts)[0], f"ts: {ts} is there twice with different values") for ts in contradicting]
    quarantine = Quarantine()
    for position, reason in sorted(aside):
        raw = {name: column[position] for name, column in zip(names, columns, strict=True)}
        quarantine.add(Place(page.response_id, "timestamp", position), raw, reason)
    return [row for _, row in good.values()], quarantine.rows


def _placed(rows: Sequence[BarRow], question: BarQuestion, final_by: datetime) -> pd.DataFrame:
    """The rows that are bars of the session grid in the question's range, closed by `final_by`, as BAR_COLUMNS."""
    import pandas as pd

    frame = pd.DataFrame([row.model_dump() for row in rows], columns=["ts", *PRICES, "volume"]).astype("float64")
    frame["ts"] = pd.to_datetime(frame["ts"].astype("int64"), unit="s", utc=True).astype("datetime64[us, UTC]")
    frame = frame.sort_values("ts", ignore_index=True)
    days = frame["ts"].dt.tz_convert(NEW_YORK).dt.date
    grid = grid_of([day for day in days.unique() if question.first <= day <= question.last], question.timeframe)
    if question.timeframe is Timeframe.SESSION:
        # Today's bar comes with the time of the last trade, sometimes next to one with the time of the opening.
        frame["session_date"] = days
        frame = frame.drop(columns="ts").drop_duplicates("session_date").merge(grid, on="session_date")
    else:
        frame = frame.merge(grid, on="ts")
    frame = frame[frame["closes_at"] <= final_by].reset_index(drop=True)
    facts = {"symbol": question.symbol, "timeframe": str(question.timeframe), "source": SOURCE}
    return frame.assign(**facts)[list(BAR_COLUMNS)]


def splits_of(chart: _Chart, page: Page, question: _Question) -> list[CorporateAction]:
    return [
        CorporateAction(
            question.symbol,
            _new_york_day(split.date),
            ActionKind.SPLIT,
            split_ratio=decimal_of(split.numerator) / decimal_of(split.denominator),
            response_id=page.response_id,
        )
        for split in chart.events.splits.values()
    ]


def _dividend_of(
    dividend: _Dividend, splits: Sequence[CorporateAction], page: Page, question: _Question
) -> CorporateAction:
    ex_date, amount = _new_york_day(dividend.date), decimal_of(dividend.amount)
    for split in splits:
        if split.ex_date > ex_date and split.split_ratio:
            amount *= split.split_ratio
    return CorporateAction(
        question.symbol,
        ex_date,
        ActionKind.CASH_DIVIDEND,
        amount_usd=amount.quantize(CENT_OF_A_CENT).normalize(),
        response_id=page.response_id,
    )


def _sector_of(page: Page) -> str | None:
    try:
        sector = json_object(page.body)["quoteSummary"]["result"][0]["summaryProfile"].get("sector")
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ContractBroken(
            f"yahoo, {page.url} (response {page.response_id}): no profile in the answer. Nothing was stored from it."
        ) from error
    return str(sector) if sector else None


def _new_york_day(moment: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)).astimezone(NEW_YORK).date()
