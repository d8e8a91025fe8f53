"""The resources of the graph, one function each, built when a run asks for them. Nothing connects at import.

Tests replace any of them by an object with the same methods (adapters/ports.py).
"""

import dagster as dg

from trading_assets.adapters.ports import BarSource, Broker, Clock, EventBus, FundamentalsSource, Notifier
from trading_assets.adapters.postgres.database import Database
from trading_assets.settings import Environment, TradingSettings, load_environment, load_trading_settings


@dg.resource(description="The content of trading.yaml.")
def settings() -> TradingSettings:
    return load_trading_settings()


@dg.resource(description="PostgreSQL at DATABASE_URL.")
def database() -> Database:
    return Database(load_environment().required_database_url())


@dg.resource(required_resource_keys={"settings", "database"}, description="The time: the wall's, or a rehearsal's.")
def clock(context: dg.InitResourceContext) -> Clock:
    from trading_assets.adapters.clock import clock_of

    return clock_of(context.resources.settings, context.resources.database)


@dg.resource(required_resource_keys={"settings", "database"}, description="Where bars and corporate actions come from.")
def bar_source(context: dg.InitResourceContext) -> BarSource:
    from trading_assets.adapters.bar_sources import build_bar_source

    return build_bar_source(context.resources.settings, load_environment(), context.resources.database)


@dg.resource(required_resource_keys={"settings", "database"}, description="Vendors whose bars are only compared.")
def comparison_sources(context: dg.InitResourceContext) -> list[BarSource]:
    from trading_assets.adapters.bar_sources import build_comparison_sources

    return build_comparison_sources(context.resources.settings, load_environment(), context.resources.database)


@dg.resource(
    required_resource_keys={"settings", "database"},
    description="Where orders are sent; none for the simulated broker, which the time loop is itself.",
)
def broker(context: dg.InitResourceContext) -> Broker | None:
    from trading_assets.adapters.brokers import build_broker

    settings: TradingSettings = context.resources.settings
    if settings.broker.kind == "simulated":
        return None
    return build_broker(settings, load_environment(), context.resources.database)


@dg.resource(description="The newest events and bars in Redis at REDIS_URL; silent without one.")
def event_bus() -> EventBus:
    from trading_assets.adapters.redis import NullEventBus, RedisEventBus

    environment: Environment = load_environment()
    return RedisEventBus(environment.redis_url.get_secret_value()) if environment.redis_url else NullEventBus()


@dg.resource(required_resource_keys={"settings", "database"}, description="Who is asked about companies.")
def fundamentals_source(context: dg.InitResourceContext) -> FundamentalsSource:
    from trading_assets.adapters.bar_sources import build_fundamentals_source

    return build_fundamentals_source(context.resources.settings, load_environment(), context.resources.database)


@dg.resource(required_resource_keys={"settings"}, description="The ways to reach a person.")
def notifiers(context: dg.InitResourceContext) -> list[Notifier]:
    from trading_assets.adapters.notifiers import build_notifiers

    return build_notifiers(context.resources.settings.notifications, load_environment())


RESOURCES: dict[str, dg.ResourceDefinition] = {
    "settings": settings,
    "database": database,
    "clock": clock,
    "bar_source": bar_source,
    "comparison_sources": comparison_sources,
    "fundamentals_source": fundamentals_source,
    "broker": broker,
    "event_bus": event_bus,
    "notifiers": notifiers,
}
