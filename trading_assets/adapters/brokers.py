"""Builds the broker that trading.yaml names. Nothing connects before it is asked something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading_assets.adapters.alpaca_broker import GATEWAY_NAME, ONCE, AlpacaBroker, check_answer
from trading_assets.adapters.bar_sources import MOST_AT_ONCE
from trading_assets.adapters.errors import AuthFailed
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses, bucket_of
from trading_assets.adapters.vendor_gateway import VendorGateway
from trading_assets.settings import Environment, SettingsError, TradingSettings

if TYPE_CHECKING:
    from trading_assets.adapters.ports import Broker
    from trading_assets.adapters.postgres.database import Database


def build_broker(settings: TradingSettings, environment: Environment, database: Database) -> Broker:
    """The configured broker. Raises AuthFailed when its key is missing, or is not one for where it is to trade.

    Raises SettingsError for the simulated one, which the time loop is itself.
    """
    broker = settings.broker
    if broker.environment is None or broker.account is None:
        raise SettingsError(
            f"broker.kind: {broker.kind} has no account at a broker: write kind: alpaca to trade there."
        )
    if environment.alpaca_api_key is None or environment.alpaca_secret_key is None:
        raise AuthFailed("broker.kind: alpaca needs ALPACA_API_KEY and ALPACA_SECRET_KEY in the environment or .env.")
    key, per_minute = environment.alpaca_api_key.get_secret_value(), settings.alpaca.requests_per_minute
    # The limit is the account's: data and orders that use one key draw from one bucket.
    limiter = SharedTokenBucket(database, bucket_of("alpaca", key), min(MOST_AT_ONCE, per_minute), per_minute)
    gateway = VendorGateway(GATEWAY_NAME, limiter, StoredResponses(database), ONCE, check_answer)
    return AlpacaBroker(
        gateway,
        key,
        environment.alpaca_secret_key.get_secret_value(),
        broker.environment,
        broker.account,
        broker.url,
        settings.alpaca.data_url,
    )
