"""trading.yaml: read, with every mistake as one line that names its place and what was meant."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import ValidationError

from trading_assets.settings.environment import config_path, run_overrides
from trading_assets.settings.section import Section, SettingsError
from trading_assets.settings.trading import TradingSettings


def load_trading_settings(path: Path | None = None) -> TradingSettings:
    """The settings in `path`; without it in TRADING_CONFIG, else ./trading.yaml, else the project's own trading.yaml.

    What is overridden for this run counts instead, where no path is given. Raises SettingsError.
    """
    if path is None:
        settings, overrides = _read(config_path()), run_overrides()
        return overridden(settings, overrides) if overrides else settings
    return _read(path)


def _read(path: Path) -> TradingSettings:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"{path} cannot be read ({reason}). Set TRADING_CONFIG to your trading.yaml.") from error
    try:
        root = yaml.compose(text, Loader=_TradingLoader)
        content = yaml.load(text, Loader=_TradingLoader)  # noqa: S506  derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{path}:{line}: not valid YAML: {error.problem}.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{path}: not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise SettingsError(
            f"{path}: expected keys such as {', '.join(TradingSettings.model_fields)}; the file has none."
        )
    try:
        settings = TradingSettings.model_validate(content)
    except ValidationError as error:
        # A mistyped key is also a missing one: the typing mistake is the better explanation.
        problem = min(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
        location = problem["loc"]
        raise SettingsError(f"{path}:{_line_of(root, location)}: {_explain(problem, location)}") from None
    if settings.strategies_folder is None:
        return settings
    return settings.model_copy(update={"strategies_folder": path.resolve().parent / settings.strategies_folder})


def overridden(settings: TradingSettings, overrides: Mapping[str, Any]) -> TradingSettings:
    """The settings with other values at dotted keys: {"risk.allow_short": True}.

    None takes a key out: it has its default then, and a strategy is not traded. Raises SettingsError.
    """
    content = settings.model_dump(exclude_unset=True)
    for key, value in overrides.items():
        *path, name = key.split(".")
        section: Any = content
        for step in path:
            section = section.setdefault(step, {}) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise SettingsError(f"{key} is not a setting: {'.'.join(path)} has no parts.")
        if value is None:
            section.pop(name, None)
        else:
            section[name] = value
    try:
        return TradingSettings.model_validate(content)
    except ValidationError as error:
        problem = min(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
        raise SettingsError(_explain(problem, problem["loc"])) from None


def read_override(text: str) -> tuple[str, Any]:
    """Key and value of `risk.allow_short=true`, the value as in trading.yaml. Raises SettingsError."""
    key, separator, value = text.partition("=")
    try:
        return key.strip(), yaml.load(value if separator else "[", Loader=_TradingLoader)  # noqa: S506
    except yaml.YAMLError as error:
        raise SettingsError(f"{text!r} is no setting: write it as strategies.NAME.parameters.KEY=VALUE.") from error


class _TradingLoader(yaml.SafeLoader):
    """YAML in which ON, NO and Y are words (they are ticker symbols) and in which no key may appear twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value} appears twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_BOOLEAN = "tag:yaml.org,2002:bool"
_TradingLoader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0] != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_TradingLoader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line of the deepest part of `location` that the file has."""
    line = 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _explain(problem: Any, location: tuple[int | str, ...]) -> str:
    keys = ".".join(str(step) for step in location if step != "[key]")
    match problem["type"]:
        case "extra_forbidden":
            accepted = _accepted_keys(location[:-1])
            near = get_close_matches(str(location[-1]), accepted, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            return f"{keys} is not a setting.{hint} Accepted here: {', '.join(accepted)}."
        case "missing":
            return f"{keys} is missing."
        case "string_pattern_mismatch":
            return f"{keys}: {problem['input']!r} does not match {problem['ctx']['pattern']}."
        case "value_error":
            return f"{keys}: {problem['ctx']['error']}."
        case "too_short":
            return f"{keys} is empty: it needs at least one entry."
        case _:
            message = problem["msg"][0].lower() + problem["msg"][1:]
            value = repr(problem["input"])
            return f"{keys}: {message}, got {value if len(value) <= 60 else value[:57] + '...'}."


def _accepted_keys(location: tuple[int | str, ...]) -> list[str]:
    kind: Any = TradingSettings
    for step in location:
        # Either a field of a section, or an entry of a mapping such as `strategies`.
        kind = kind.model_fields[str(step)].annotation if _is_section(kind) else get_args(kind)[-1]
        if get_origin(kind) is not dict:
            kind = next((part for part in get_args(kind) if _is_section(part)), kind)
    return list(kind.model_fields)


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)
