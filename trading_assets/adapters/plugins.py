"""Finds strategies: those that installed packages offer under the entry-point group `trading_assets.strategies`, and
those in the files of `strategies_folder`.

The names in trading.yaml are entry-point names, or names of classes in the folder. Of packages only configured
strategies are imported.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from trading_assets.adapters.strategy_files import BrokenFile, FolderContent, StrategyFile, read_folder
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import ParameterError
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy

if TYPE_CHECKING:
    from trading_assets.settings import StrategySettings, TradingSettings

GROUP = "trading_assets.strategies"
FRAMEWORK = "trading_assets.domain.strategy."


class PluginError(Exception):
    """A configured strategy cannot be loaded. One line that names the strategy or the entry point and the remedy."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A strategy that may be configured; `described` says where it comes from. `load` raises PluginError."""

    name: str
    described: str
    remedy: str
    load: Callable[[], type[Strategy]]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every strategy on offer by name, and the files of the folder that offer none."""

    offers: Mapping[str, Sequence[Offer]]
    broken: Sequence[BrokenFile] = ()

    def chosen(self, name: str) -> Offer:
        """The one offer of `name`. Raises PluginError when there is none, or more than one."""
        offers = self.offers.get(name, ())
        if not offers:
            raise PluginError(f"trading.yaml: strategies.{name}: {self._not_found(name)}")
        if len(offers) > 1:
            first, second = offers[:2]
            raise PluginError(
                f"Two plug-ins offer a strategy {name!r}: {first.described} and {second.described}. {second.remedy}"
            )
        return offers[0]

    def _not_found(self, name: str) -> str:
        near = get_close_matches(name, self.offers, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        unread = "".join(f" {one.problem}" for one in self.broken)
        return (
            f"no installed package and no file of strategies_folder offers this strategy.{hint} "
            f"Found: {', '.join(sorted(self.offers)) or 'none'}.{unread}"
        )


def load_strategies(settings: TradingSettings, offers: Iterable[EntryPoint] | None = None) -> list[ConfiguredStrategy]:
    """The strategies of trading.yaml, by name. Raises PluginError.

    `offers` are the entry points to choose from, by default those of all installed packages.
    """
    strategies, refused = usable_strategies(settings, find_strategies(settings, offers))
    if refused:
        raise refused[0]
    return strategies


def usable_strategies(
    settings: TradingSettings, catalogue: Catalogue
) -> tuple[list[ConfiguredStrategy], list[PluginError]]:
    """The strategies of trading.yaml that can be loaded, by name, and why the others cannot."""
    strategies, refused = list[ConfiguredStrategy](), list[PluginError]()
    for name, section in sorted(settings.strategies.items()):
        try:
            strategies.append(_permitted(configured_strategy(name, catalogue.chosen(name), section), settings))
        except PluginError as error:
            refused.append(error)
    return strategies, refused


def find_strategies(settings: TradingSettings, offers: Iterable[EntryPoint] | None = None) -> Catalogue:
    """Everything that could be configured. Reads the files of the folder, and imports nothing else."""
    folder = settings.strategies_folder
    content = read_folder(folder) if folder is not None else FolderContent()
    installed = entry_points(group=GROUP) if offers is None else offers
    by_name: dict[str, list[Offer]] = defaultdict(list)
    # The same entry point may be listed twice, when its package is found by two paths.
    for entry_point in {(one.name, one.value): one for one in installed}.values():
        by_name[entry_point.name].append(_of_package(entry_point))
    for file in content.strategies:
        by_name[file.name].append(_of_file(file))
    return Catalogue(by_name, content.broken)


def configured_strategy(name: str, offer: Offer, section: StrategySettings) -> ConfiguredStrategy:
    """The strategy of one section of trading.yaml. Raises PluginError."""
    strategy_class = offer.load()
    try:
        strategy = strategy_class.configured(section.parameters)
    except ParameterError as error:
        raise PluginError(f"trading.yaml: strategies.{name}.parameters: {error}") from error
    try:
        # Here, because later all strategies need them together: there one would stop the others.
        _ensure_it_says_what_it_reads(strategy)
    except Exception as error:
        raise PluginError(
            f"Strategy {name!r} of {offer.described} cannot say what it reads (indicators(), memory): "
            f"{type(error).__name__}: {error}"
        ) from error
    return ConfiguredStrategy(
        name, strategy, section.timeframe, section.capital_weight, section.portfolio, section.size
    )


def _ensure_it_says_what_it_reads(strategy: Strategy) -> None:
    """Raises what the strategy's code raises, and ValueError where what it says makes no sense."""
    if not all(isinstance(one, Indicator) for one in strategy.indicators()):
        raise ValueError("indicators() returns something that is no Indicator")
    if strategy.memory < 0:
        raise ValueError(f"memory is {strategy.memory}")


def source_sha256(strategy: type[Strategy]) -> str:
    """The SHA-256 of the file that defines the class; with base classes outside the platform's framework, of all files.

    Of several files it is that of their bytes one after the other, the class before what it is derived from.
    """
    files = dict.fromkeys(
        inspect.getfile(one)
        for one in strategy.__mro__
        if one.__module__.partition(".")[0] not in sys.stdlib_module_names and not one.__module__.startswith(FRAMEWORK)
    )
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()


def _permitted(configured: ConfiguredStrategy, settings: TradingSettings) -> ConfiguredStrategy:
    if configured.strategy.sells_short and not settings.risk.allow_short:
        raise PluginError(
            f"trading.yaml: strategies.{configured.name} sells short, and risk.allow_short is false: one leg without "
            "the other is another bet. Set risk.allow_short: true, or remove the strategy."
        )
    return configured


def _of_file(file: StrategyFile) -> Offer:
    described = f"{file.path} ({file.strategy.__name__})"
    return Offer(file.name, described, f"Change `name` in {file.path}, or remove the file.", lambda: file.strategy)


def _of_package(entry_point: EntryPoint) -> Offer:
    described = f"{entry_point.value} ({entry_point.dist.name})" if entry_point.dist else entry_point.value
    remedy = "Uninstall one, or rename its entry point."
    return Offer(entry_point.name, described, remedy, lambda: _strategy_class(entry_point, described))


def _strategy_class(entry_point: EntryPoint, described: str) -> type[Strategy]:
    try:
        loaded = entry_point.load()
    except Exception as error:
        # A plug-in may raise anything while it is imported; whatever it is, the user must learn whose it is.
        raise PluginError(
            f"Strategy {entry_point.name!r} of {described} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(loaded, type) or not issubclass(loaded, Strategy):
        raise PluginError(
            f"Strategy {entry_point.name!r} of {described} is no subclass of {Strategy.__module__}.Strategy."
        )
    return loaded
