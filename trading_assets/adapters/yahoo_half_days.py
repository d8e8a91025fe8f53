"""The last hour of half days out of Yahoo's half hours, because Yahoo's own hours end at 12:30 on such a day.

Pure, as yahoo_wire.py. That hour lasts half an hour, 12:30 to 13:00 New York time: one row of the chart is the bar.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.vendor_gateway import Fetch, QuarantinedRow
from trading_assets.adapters.yahoo_wire import BarQuestion, chart_of, final_by, made_raw, rows_of
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.half_days import end_of_half_day
from trading_assets.domain.market.sessions import sessions_between

if TYPE_CHECKING:
    import pandas as pd

HALF_HOURS = "30m"
HALF_HOURS_SOURCE = "yahoo_30m"
"""What `source` says of a bar that comes from a row of half an hour."""


def half_day_ends_in(fetch: Fetch) -> tuple[pd.DataFrame, list[QuarantinedRow]]:
    """The final last hours of the half days that were asked about (BAR_COLUMNS and response_id), and broken rows.

    Raises ContractBroken, as bars_in.
    """
    import pandas as pd

    question = BarQuestion.model_validate(fetch.question)
    page = fetch.pages[-1]
    chart = chart_of(page, question.symbol, HALF_HOURS)
    rows, quarantined = rows_of(chart, page)
    found = {datetime.fromtimestamp(row.ts, UTC): row for row in rows}
    ends = [
        (day, end)
        for day in sessions_between(question.first, question.last)
        if (end := end_of_half_day(day)) and end.ts in found and end.closes_at <= final_by(chart, question)
    ]
    bars = [
        {
            **found[end.ts].model_dump(),
            "symbol": question.symbol,
            "timeframe": str(question.timeframe),
            "ts": end.ts,
            "closes_at": end.closes_at,
            "session_date": day,
            "source": HALF_HOURS_SOURCE,
        }
        for day, end in ends
    ]
    frame = pd.DataFrame(bars, columns=list(BAR_COLUMNS))
    for column in ("ts", "closes_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    return made_raw(frame, chart, page, question), quarantined
