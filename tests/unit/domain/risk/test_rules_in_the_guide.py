"""The guide lists the rules as they are in the catalogue: nothing is missing, and nothing is said that is not so."""

from __future__ import annotations

import inspect
from pathlib import Path

from trading_assets.domain.risk.case import OF_ACCOUNT, OF_ORDER
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.rules.catalogue import RULES
from trading_assets.domain.risk.rules.rule import LIMIT_KEYS
from trading_assets.settings import RiskSettings

GUIDE = Path(__file__).parents[4] / "docs" / "guides" / "risk.md"


def in_settings(limit: str) -> str:
    """The key of trading.yaml; durations say there what they are counted in."""
    return f"`{limit}`" if limit in RiskSettings.model_fields else f"`{limit}_s`"


def test_table_of_the_guide_is_the_catalogue() -> None:
    section = GUIDE.read_text(encoding="utf-8").split("## The review\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| RC-")]
    assert rows == [
        f"| {rule.rule_id} | {rule.title} | {', '.join(map(in_settings, rule.limit_keys)) or '-'} "
        f"| `{rule.reason_code}` | {'yes' if rule.is_rechecked else '-'} |"
        for rule in RULES
    ]


def test_every_input_of_a_rule_is_a_limit_or_has_one_reading() -> None:
    assert not OF_ACCOUNT.keys() & OF_ORDER.keys()
    assert not LIMIT_KEYS & (OF_ACCOUNT.keys() | OF_ORDER.keys())
    known = LIMIT_KEYS | OF_ACCOUNT.keys() | OF_ORDER.keys()
    assert {name for rule in RULES for name in rule.inputs} <= known


def test_unit_of_an_input_is_that_of_its_reading() -> None:
    readings = {**OF_ACCOUNT, **OF_ORDER}
    given = {name: inspect.signature(reading).return_annotation for name, reading in readings.items()}
    asked = {
        (name, hint)
        for rule in RULES
        for name, hint in inspect.get_annotations(rule.function).items()
        if name in readings
    }
    assert {(name, hint) for name, hint in asked if given[name] != hint} == set()


def test_type_of_a_limit_is_that_of_its_unit() -> None:
    allowed = {
        "Decimal": {"Ppm"},
        "int": {"Shares", "Count"},
        "bool": {"Flag"},
        "float": {"Statistic"},
        "timedelta": {"Count"},
    }
    types = {name: str(kind).removesuffix(" | None") for name, kind in inspect.get_annotations(RiskLimits).items()}
    for rule in RULES:
        hints = inspect.get_annotations(rule.function)
        for key in rule.limit_keys:
            assert hints[key] in allowed[types[key]], f"{rule.rule_id}: {key}"
