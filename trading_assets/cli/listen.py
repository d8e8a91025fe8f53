"""`trading listen`: keep the broker's stream open and write down what it hints at. `trading up` runs it by itself."""

from __future__ import annotations

import logging
import signal
import threading

import click


@click.command()
def listen() -> None:
    """Listen to the broker's order updates until Ctrl-C. They are hints: nothing is booked by them."""
    from trading_assets.adapters.brokers import build_broker
    from trading_assets.adapters.clock import clock_of
    from trading_assets.adapters.postgres.broker_accounts import broker_account_id
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.stream_listener import StreamListener
    from trading_assets.settings import load_environment, load_trading_settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    settings, environment = load_trading_settings(), load_environment()
    database = Database(environment.required_database_url())
    broker = build_broker(settings, environment, database)
    account_id = broker_account_id(settings.broker.venue, settings.broker.account or "")
    StreamListener(broker, database, clock_of(settings, database), account_id).listen(stopping)
