"""Finding strategies: the installed ones, a user's own, and every way in which a plug-in can be wrong."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from trading_assets.adapters.plugins import GROUP, PluginError, load_strategies
from trading_assets.settings import TradingSettings
from trading_assets.strategies.sma_crossover import SmaCrossover

BUILT_IN = EntryPoint("sma_crossover", "trading_assets.strategies.sma_crossover:SmaCrossover", GROUP)


def settings_with(**strategies: dict[str, object]) -> TradingSettings:
    return TradingSettings.model_validate(
        {"source": "sample", "universe": ["IBM"], "timeframes": ["1d"], "strategies": strategies}
    )


@pytest.fixture
def plugin_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("someones_strategies")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_installed_strategies_are_found_by_their_entry_points():
    loaded = load_strategies(
        settings_with(sma_crossover={"capital_weight": 0.5}, rsi_reversion={"capital_weight": 0.25})
    )
    assert [(one.name, one.capital_weight) for one in loaded] == [("rsi_reversion", 0.25), ("sma_crossover", 0.5)]
    assert loaded[1].version.startswith("1+")


def test_parameters_reach_the_strategy():
    section = {"capital_weight": 1, "parameters": {"fast": 5, "slow": 9}}
    (loaded,) = load_strategies(settings_with(sma_crossover=section), [BUILT_IN])
    assert [one.column for one in loaded.strategy.indicators()] == ["sma_5", "sma_9"]


def test_wrong_parameter_names_its_place_in_the_file():
    section = {"capital_weight": 1, "parameters": {"quick": 5}}
    with pytest.raises(PluginError, match=r"trading.yaml: strategies.sma_crossover.parameters: .*'quick'.*fast, slow"):
        load_strategies(settings_with(sma_crossover=section), [BUILT_IN])


def test_unknown_strategy_lists_the_found_ones_and_suggests_the_nearest():
    with pytest.raises(
        PluginError, match=r"strategies.sma_crosover: .*Did you mean sma_crossover\? Found: sma_crossover"
    ):
        load_strategies(settings_with(sma_crosover={"capital_weight": 1}), [BUILT_IN])


def test_two_plugins_of_one_name_are_refused_with_both_named():
    other = EntryPoint("sma_crossover", "someones_strategies:Sma", GROUP)
    with pytest.raises(PluginError, match=r"Two plug-ins offer a strategy 'sma_crossover'.*SmaCrossover.*Sma"):
        load_strategies(settings_with(sma_crossover={"capital_weight": 1}), [BUILT_IN, other])


def test_same_entry_point_listed_twice_is_one():
    loaded = load_strategies(settings_with(sma_crossover={"capital_weight": 1}), [BUILT_IN, BUILT_IN])
    assert isinstance(loaded[0].strategy, SmaCrossover)


@pytest.mark.parametrize("value", ["no_such_module:Strategy", "someones_strategies:Missing"])
def test_plugin_that_cannot_be_imported_names_its_entry_point(plugin_module, value):
    broken = EntryPoint("broken", value, GROUP)
    with pytest.raises(PluginError, match=f"'broken' of {value} cannot be imported: "):
        load_strategies(settings_with(broken={"capital_weight": 1}), [broken])


def test_broken_plugin_that_nobody_configured_does_not_matter():
    broken = EntryPoint("broken", "no_such_module:Strategy", GROUP)
    assert len(load_strategies(settings_with(sma_crossover={"capital_weight": 1}), [broken, BUILT_IN])) == 1


def test_plugin_that_is_no_strategy_is_refused(plugin_module):
    plugin_module.Thing = dict
    offer = EntryPoint("thing", "someones_strategies:Thing", GROUP)
    with pytest.raises(PluginError, match="'thing' of someones_strategies:Thing is no subclass"):
        load_strategies(settings_with(thing={"capital_weight": 1}), [offer])
