"""Fetches and stores bars: a session or a local source at once, a vendor's history in chunks that survive a kill.

A chunk is committed with its row in ops.ingestion_progress, and a later run of the same sessions does not ask for it
again, unless it carries the tag REFETCH. Runs of a single session always ask.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import dagster as dg

from trading_assets.adapters.ports import BarSource
from trading_assets.adapters.postgres import ingestion_progress, market
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import first_sessions, sessions_after_the_last
from trading_assets.defs.ingestion.halts import sessions_without_trading
from trading_assets.domain.market import sessions
from trading_assets.domain.market.history import Chunk, Progress, not_yet_fetched, split_history
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import pandas as pd

REFETCH_TAG = "trading/refetch"
"""With the value true a run asks the vendor for everything again: that is how restated history arrives."""
SECONDS_BETWEEN_LINES = 2.0


@dataclass(frozen=True)
class History:
    """The bars of the sessions first..last as `source` has them at `now` (UTC), on their way into the database."""

    database: Database
    source: BarSource
    settings: TradingSettings
    first: date
    last: date
    now: datetime

    def store(self, context: dg.AssetExecutionContext) -> int:
        """Fetch and store what is not stored yet; returns how many bars were new or changed.

        Raises AdapterError, and Failure for a finished session without a bar: what was stored before it stays.
        """
        if not self._is_long:
            return self._store_at_once()
        if context.run.tags.get(REFETCH_TAG) == "true" and not context.retry_number:
            ingestion_progress.forget(
                self.database, market.BARS_DATASET, self._answerer, self.settings.universe, self.first, self.last
            )
        return sum(self._stored_chunks(context))

    @property
    def _is_long(self) -> bool:
        """Whether many requests to a vendor are ahead. Local data are quicker read again than remembered."""
        return self.settings.source not in {"sample", "folder"} and self.first < self.last

    @property
    def _answerer(self) -> str:
        """The source, as far as it decides which prices are given."""
        settings = self.settings
        return f"{settings.source}/{settings.alpaca.feed}" if settings.source == "alpaca" else settings.source

    def _store_at_once(self) -> int:
        import pandas as pd

        universe = self.settings.universe
        frames = [
            self._ask(Chunk(timeframe, universe, self.first, self.last, is_settled=False))
            for timeframe in self.settings.timeframes
        ]
        with self.database.transaction() as connection:
            return market.store_bars(connection, pd.concat(frames, ignore_index=True))

    def _stored_chunks(self, context: dg.AssetExecutionContext) -> Iterator[int]:
        """New or changed bars of each chunk, after it is committed."""
        today = self.now.astimezone(sessions.NEW_YORK).date()
        settings = self.settings
        chunks = split_history(settings.universe, settings.timeframes, self.first, self.last, today)
        stored = ingestion_progress.fetched(self.database, market.BARS_DATASET, self._answerer, self.first, self.last)
        ahead = not_yet_fetched(chunks, stored)
        reporter = _Reporter(context, Progress(len(chunks), len(chunks) - len(ahead), time.monotonic))
        for chunk in ahead:
            frame = self._ask(chunk)
            with self.database.transaction() as connection:
                written = market.store_bars(connection, frame) if len(frame) else 0
                if chunk.is_settled:
                    ingestion_progress.record_chunk(
                        connection, market.BARS_DATASET, self._answerer, chunk, len(frame), context.run_id
                    )
            reporter.add(len(frame))
            yield written

    def _ask(self, chunk: Chunk) -> pd.DataFrame:
        """The source's bars of one chunk, refused when a finished session has none."""
        from trading_assets.domain.market.bars import ensure_no_empty_session

        frame = self.source.bars(chunk.symbols, chunk.timeframe, chunk.first, chunk.last, self.now)
        listed_since = first_sessions(self.database, chunk.symbols)
        try:
            finished = self._finished(chunk)
            halted = sessions_without_trading(self.database, chunk.first, chunk.last)
            idle = {*halted, *sessions_after_the_last(self.database, chunk.symbols, finished)}
            ensure_no_empty_session(frame, chunk.symbols, chunk.timeframe, finished, listed_since, idle)
        except ValueError as error:
            raise dg.Failure(f"Source {self.source.name}: {error}", allow_retries=False) from error
        return frame

    def _finished(self, chunk: Chunk) -> Sequence[date]:
        days = sessions.sessions_between(chunk.first, chunk.last)
        return [day for day in days if sessions.session(day).closes_at <= self.now]


class _Reporter:
    """Shows progress in the run's log, and at each tenth of the way on the asset's page."""

    def __init__(self, context: dg.AssetExecutionContext, progress: Progress) -> None:
        self._context, self._progress = context, progress
        self._spoke_at = self._progress.began
        if progress.skipped:
            context.log.info(f"{progress.skipped} of {progress.total} chunks are stored already.")

    def add(self, rows: int) -> None:
        progress = self._progress
        tenth = progress.percent // 10
        progress.add(rows)
        is_last = progress.done == progress.total
        if is_last or progress.now() - self._spoke_at >= SECONDS_BETWEEN_LINES:
            self._context.log.info(str(progress))
            self._spoke_at = progress.now()
        if progress.percent // 10 > tenth:
            self._context.log_event(
                dg.AssetObservation(
                    self._context.asset_key,
                    metadata={
                        "progress": str(progress),
                        "chunks_done": progress.done,
                        "chunks": progress.total,
                        "rows": progress.rows,
                    },
                )
            )
