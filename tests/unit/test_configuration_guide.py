"""docs/guides/configuration.md lists every key of trading.yaml with its default, and every variable, and no other."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from trading_assets import settings
from trading_assets.settings import Section, TradingSettings

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "configuration.md").read_text()
ROWS = dict(re.findall(r"^\| `([a-z][a-z_.*]*)` \| (.+?) \|", GUIDE, re.M))


def keys(section: type[Section], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys with their defaults as the guide writes them; a section with keys of its own is not a key."""
    for name, field in section.model_fields.items():
        key, inner = prefix + name, inner_section(field.annotation)
        default = field.get_default(call_default_factory=True)
        if inner is None or field.is_required() or default is None:
            yield key, "required" if field.is_required() else written(default)
        if inner is not None:
            yield from keys(inner, f"{key}.*." if get_origin(field.annotation) is dict else f"{key}.")


def inner_section(annotation: Any) -> type[Section] | None:
    candidates = (annotation, *get_args(annotation))
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, Section)), None)


def written(default: Any) -> str:
    if default is None:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if default == ():
        return "`[]`"
    if isinstance(default, Enum):
        return f"`{default.value}`"
    return f"`{format(default, 'f') if isinstance(default, Decimal) else default}`"


def test_every_key_is_in_the_guide_with_its_default() -> None:
    assert dict(keys(TradingSettings)) == ROWS


def test_a_key_that_is_missing_or_has_another_default_is_seen() -> None:
    class Longer(TradingSettings):
        added: int = 7

    assert set(dict(keys(Longer)).items()) - set(ROWS.items()) == {("added", "`7`")}


def test_every_environment_variable_is_in_the_guide() -> None:
    read = set(re.findall(r'"([A-Z][A-Z_]{5,})"', inspect.getsource(settings.load_environment))) | {"TRADING_CONFIG"}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", GUIDE, re.M)) == read
