"""Finds strategies that installed packages offer under the entry-point group `trading_assets.strategies`.

The names in trading.yaml are entry-point names. Only configured strategies are imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from trading_assets.domain.strategy.parameters import ParameterError
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy

if TYPE_CHECKING:
    from trading_assets.settings import TradingSettings

GROUP = "trading_assets.strategies"


class PluginError(Exception):
    """A configured strategy cannot be loaded. One line that names the strategy or the entry point and the remedy."""


def load_strategies(settings: TradingSettings, offers: Iterable[EntryPoint] | None = None) -> list[ConfiguredStrategy]:
    """The strategies of trading.yaml, by name. Raises PluginError.

    `offers` are the entry points to choose from, by default those of all installed packages.
    """
    found = _by_name(entry_points(group=GROUP) if offers is None else offers)
    configured = []
    for name, section in sorted(settings.strategies.items()):
        strategy_class = _strategy_class(_chosen(found, name))
        try:
            strategy = strategy_class.configured(section.parameters)
        except ParameterError as error:
            raise PluginError(f"trading.yaml: strategies.{name}.parameters: {error}") from error
        configured.append(ConfiguredStrategy(name, strategy, section.timeframe, section.capital_weight))
    return configured


def _by_name(offers: Iterable[EntryPoint]) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for offer in offers:
        other = found.setdefault(offer.name, offer)
        if other.value != offer.value:
            raise PluginError(
                f"Two plug-ins offer a strategy {offer.name!r}: {_described(other)} and {_described(offer)}. "
                "Uninstall one, or rename its entry point."
            )
    return found


def _chosen(found: Mapping[str, EntryPoint], name: str) -> EntryPoint:
    if name in found:
        return found[name]
    near = get_close_matches(name, found, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise PluginError(
        f"trading.yaml: strategies.{name}: no installed package offers this strategy.{hint} "
        f"Found: {', '.join(sorted(found)) or 'none'}."
    )


def _strategy_class(offer: EntryPoint) -> type[Strategy]:
    try:
        loaded = offer.load()
    except Exception as error:
        # A plug-in may raise anything while it is imported; whatever it is, the user must learn whose it is.
        raise PluginError(
            f"Strategy {offer.name!r} of {_described(offer)} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(loaded, type) or not issubclass(loaded, Strategy):
        raise PluginError(
            f"Strategy {offer.name!r} of {_described(offer)} is no subclass of {Strategy.__module__}.Strategy."
        )
    return loaded


def _described(offer: EntryPoint) -> str:
    return f"{offer.value} ({offer.dist.name})" if offer.dist else offer.value
