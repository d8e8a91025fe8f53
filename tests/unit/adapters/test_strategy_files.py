"""Strategies in the files of a folder: found by name, kept apart from broken neighbours, and refused by file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from trading_assets.adapters.plugins import PluginError, find_strategies, load_strategies
from trading_assets.adapters.strategy_files import read_folder, strategies_in
from trading_assets.settings import TradingSettings, load_trading_settings

SOURCE = '''"""Long, always."""

from __future__ import annotations

from pydantic import Field

from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy


class {class_name}(Strategy):
    name = "{name}"
    version = "1"

    class Parameters(StrategyParameters):
        level: float = Field(0.5, ge=0, le=1, description="signal")

    def indicators(self):
        return ()

    def signals(self, view):
        return view.signals([self.parameters.level] * len(view.bars), ["always"] * len(view.bars))
'''


def strategy_file(folder: Path, name: str, file: str | None = None, class_name: str = "Always") -> Path:
    path = folder / f"{file or name}.py"
    path.write_text(SOURCE.format(name=name, class_name=class_name))
    return path


def settings_of(folder: Path, **strategies: object) -> TradingSettings:
    return TradingSettings.model_validate(
        {
            "source": "sample",
            "universe": ["IBM"],
            "timeframes": ["1d"],
            "strategies": strategies,
            "strategies_folder": folder,
        }
    )


def loading_error(folder: Path, name: str = "mine") -> str:
    with pytest.raises(PluginError) as caught:
        load_strategies(settings_of(folder, **{name: {"capital_weight": 1}}))
    return str(caught.value)


def test_class_in_a_file_is_found_by_its_name_with_its_parameters(tmp_path):
    path = strategy_file(tmp_path, "mine", file="another_name")
    (loaded,) = load_strategies(settings_of(tmp_path, mine={"capital_weight": 1, "parameters": {"level": 0.25}}))
    assert (loaded.name, loaded.strategy.parameters.level) == ("mine", 0.25)
    (found,) = strategies_in(path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_stand_beside_installed_strategies(tmp_path):
    strategy_file(tmp_path, "mine")
    loaded = load_strategies(settings_of(tmp_path, mine={"capital_weight": 0.5}, sma_crossover={"capital_weight": 0.5}))
    assert [one.name for one in loaded] == ["mine", "sma_crossover"]
    assert {"mine", "rsi_reversion", "sma_crossover"} <= set(find_strategies(settings_of(tmp_path)).offers)


def test_unchanged_file_gives_the_same_class_and_a_changed_one_another(tmp_path):
    path = strategy_file(tmp_path, "mine")
    first, again = strategies_in(path)[0].strategy, strategies_in(path)[0].strategy
    assert first is again
    path.write_text(path.read_text().replace('version = "1"', 'version = "2"'))
    assert strategies_in(path)[0].strategy.version == "2"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "import no_such_module\n",
            "cannot be imported: ModuleNotFoundError: No module named 'no_such_module' (line 1)",
        ),
        ("x = 1\ny = x / 0\n", "cannot be imported: ZeroDivisionError: division by zero (line 2)"),
        ("def f(:\n", "cannot be imported: SyntaxError: invalid syntax (line 1). Correct it"),
        ("raise SystemExit(3)\n", "cannot be imported: SystemExit: 3 (line 1)"),
        ("x = 1\n", "has no strategy: define a subclass of trading_assets.domain.strategy.strategy.Strategy"),
        (SOURCE.replace('    name = "{name}"\n', "").format(class_name="A"), 'class A needs `name = "..."`'),
        (SOURCE.format(class_name="A", name="Two Words"), "the name 'Two Words' of class A does not match ^[a-z]"),
    ],
    ids=["import", "raises", "syntax", "exits", "empty", "nameless", "badly_named"],
)
def test_broken_file_stops_only_who_configured_it_and_names_file_and_remedy(tmp_path, source, problem):
    strategy_file(tmp_path, "mine")
    broken = tmp_path / "other.py"
    broken.write_text(source)
    assert len(load_strategies(settings_of(tmp_path, mine={"capital_weight": 1}))) == 1
    message = loading_error(tmp_path, "other")
    assert str(broken) in message
    assert problem in message
    assert "\n" not in message


def test_one_name_in_two_files_is_refused_where_it_is_configured(tmp_path):
    first, second = strategy_file(tmp_path, "mine"), strategy_file(tmp_path, "mine", file="yours")
    strategy_file(tmp_path, "third")
    assert len(load_strategies(settings_of(tmp_path, third={"capital_weight": 1}))) == 1
    assert loading_error(tmp_path) == (
        f"Two plug-ins offer a strategy 'mine': {first} (Always) and {second} (Always). "
        f"Change `name` in {second}, or remove the file."
    )


def test_file_with_the_name_of_an_installed_strategy_is_refused(tmp_path):
    path = strategy_file(tmp_path, "sma_crossover")
    message = loading_error(tmp_path, "sma_crossover")
    assert "SmaCrossover" in message
    assert message.endswith(f"Change `name` in {path}, or remove the file.")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
        ("return None", "TypeError: 'NoneType' object is not iterable"),
        ('return "sma"', "ValueError: indicators() returns something that is no Indicator"),
        ("return ()\n\n    memory = -1", "ValueError: memory is -1"),
    ],
)
def test_strategy_that_cannot_say_what_it_reads_is_refused_before_it_stops_the_others(tmp_path, said, told):
    path = strategy_file(tmp_path, "mine")
    path.write_text(path.read_text().replace("return ()", said))
    assert loading_error(tmp_path).endswith(f"cannot say what it reads (indicators(), memory): {told}")


def test_files_with_an_underscore_and_folders_are_not_read(tmp_path):
    (tmp_path / "_shared.py").write_text("raise RuntimeError\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_mine.py").write_text("raise RuntimeError\n")
    strategy_file(tmp_path, "mine")
    content = read_folder(tmp_path)
    assert ([one.name for one in content.strategies], content.broken) == (["mine"], ())


def test_base_class_that_a_file_imports_is_not_its_strategy(tmp_path):
    path = strategy_file(tmp_path, "mine")
    with path.open("a") as file:
        file.write("\n\nfrom trading_assets.strategies.sma_crossover import SmaCrossover\n")
    assert [one.name for one in strategies_in(path)] == ["mine"]


def test_folder_that_does_not_exist_is_named_to_who_needs_it(tmp_path):
    missing = tmp_path / "nowhere"
    assert load_strategies(settings_of(missing, sma_crossover={"capital_weight": 1}))
    assert f"{missing} is no folder: make it" in loading_error(missing)


def test_folder_is_relative_to_the_file_of_settings(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    strategy_file(tmp_path / "mine", "mine")
    config = tmp_path / "trading.yaml"
    config.write_text(
        "source: sample\nuniverse: [IBM]\ntimeframes: [1d]\nstrategies_folder: mine\n"
        "strategies: {mine: {capital_weight: 1}}\n"
    )
    monkeypatch.chdir("/")
    settings = load_trading_settings(config)
    assert settings.strategies_folder == tmp_path / "mine"
    assert [one.name for one in load_strategies(settings)] == ["mine"]


def test_place_of_the_folder_and_limits_move_no_order(tmp_path):
    settings = settings_of(tmp_path, sma_crossover={"capital_weight": 1})
    elsewhere = settings.model_copy(update={"strategies_folder": None})
    assert settings.fingerprint() == elsewhere.fingerprint()
