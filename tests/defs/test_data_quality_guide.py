"""The guide to data quality lists the checks that exist, as they are, and a check for each of the 25 questions."""

from __future__ import annotations

import re
from pathlib import Path

from trading_assets.definitions import defs
from trading_assets.defs.ingestion.broker_calendar import CALENDAR_CHECK
from trading_assets.defs.ingestion.checks import bars_checks, company_checks, market_checks
from trading_assets.defs.ingestion.halts import HALF_DAY_CHECK
from trading_assets.quality.suites import SUITES

GUIDE = (Path(__file__).parents[2] / "docs/guides/data-quality.md").read_text(encoding="utf-8")
QUESTIONS, CHECKS = GUIDE.split("## The 25 questions")[1].split("## The checks")


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_guide_lists_every_check_of_the_suites_as_it_is() -> None:
    expectations = {each.name: each for suite in SUITES for each in suite.expectations}
    expectations |= {check.expectation.name: check.expectation for check in (CALENDAR_CHECK, HALF_DAY_CHECK)}

    told = {(name, asset.strip("`"), severity, blocks) for name, asset, severity, blocks, _ in rows(CHECKS)}

    assert told == {
        (
            f"`{spec.name}`: {expectations[spec.name].description}",
            spec.asset_key.to_user_string(),
            str(expectations[spec.name].severity),
            "yes" if expectations[spec.name].blocking else "no",
        )
        for checks in (bars_checks, market_checks, company_checks)
        for spec in checks.check_specs
    }


def test_guide_says_what_to_do_about_every_check() -> None:
    assert [name for name, *_, remedy in rows(CHECKS) if not remedy] == []


def test_guide_answers_all_25_questions_with_checks_of_the_graph() -> None:
    in_the_graph = {key.name for key in defs.resolve_asset_graph().asset_check_keys}

    questions = rows(QUESTIONS)

    assert [int(number) for number, _, _ in questions] == list(range(1, 26))
    named = [re.findall(r"`(\w+)`", checks) for _, _, checks in questions]
    assert all(named)
    assert {name for names in named for name in names} - in_the_graph == set()


def test_every_check_of_bars_answers_a_question() -> None:
    asked = set(re.findall(r"`(\w+)`", QUESTIONS))
    of_bars = {each.name for suite in SUITES if suite.dataset == "market/bars" for each in suite.expectations}
    assert of_bars - asked == set()
