"""The process of a rehearsal: answers on a port of 127.0.0.1 until a signal ends it.

`trading up --broker local-alpaca` starts it, with the environment of the platform.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from pathlib import Path

from trading_assets.adapters.clock import clock_of
from trading_assets.adapters.errors import AdapterError
from trading_assets.adapters.postgres.database import Database
from trading_assets.local_alpaca.journal import Journal
from trading_assets.local_alpaca.market import finest_of
from trading_assets.local_alpaca.rehearsal import RehearsedAlpaca
from trading_assets.local_alpaca.stored_market import StoredMarket
from trading_assets.settings import load_environment, load_trading_settings

LOOK_S = 0.5
"""How often the market looks at the clock while nobody asks anything."""

logger = logging.getLogger("local_alpaca")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    settings = load_trading_settings()
    database = Database(load_environment().required_database_url())
    alpaca = RehearsedAlpaca(
        Journal(given.journal),
        StoredMarket(database, settings.universe),
        finest_of(settings.timeframes),
        clock_of(settings, database),
        given.port,
    )
    with alpaca.running():
        logger.info("Account %s answers at %s.", alpaca.venue.ledger.account_number, alpaca.url)
        _follow(alpaca, stopping)


def _follow(alpaca: RehearsedAlpaca, stopping: threading.Event) -> None:
    told = ""
    while not stopping.wait(LOOK_S):
        try:
            alpaca.follow()
        except AdapterError as error:
            if told != str(error):
                logger.warning("%s", error)
            told = str(error)
        else:
            told = ""


if __name__ == "__main__":
    main()
