"""Which code may trade at which stage, from what was promoted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trading_assets.domain.strategy.promotions import Promotion, Stage, may_trade, stage_of

RESEARCH, PAPER, LIVE = Stage
SOURCE, OTHER_SOURCE = "a" * 64, "b" * 64
VERSION, OTHER_VERSION = "1+11111111", "1+22222222"
MONDAY = datetime(2012, 6, 4, tzinfo=UTC)


def promotion(stage: Stage, version: str = VERSION, source: str = SOURCE, day: int = 0) -> Promotion:
    return Promotion("breakout", version, source, stage, {}, "Ada", "because", MONDAY + timedelta(days=day))


ON_PAPER = [promotion(PAPER)]
ON_LIVE = [*ON_PAPER, promotion(LIVE, day=1)]


@pytest.mark.parametrize(
    ("wanted", "promotions"),
    [
        (RESEARCH, []),
        (PAPER, ON_PAPER),
        (PAPER, ON_LIVE),
        (LIVE, ON_LIVE),
        # Another version that was promoted later takes nothing away.
        (LIVE, [*ON_LIVE, promotion(PAPER, OTHER_VERSION, day=2), promotion(PAPER, source=OTHER_SOURCE, day=3)]),
    ],
)
def test_promoted_version_and_source_may_trade(wanted: Stage, promotions: list[Promotion]) -> None:
    assert may_trade(wanted, promotions, VERSION, SOURCE) is None


@pytest.mark.parametrize(
    ("wanted", "promotions", "reason"),
    [
        (PAPER, [], f"Version {VERSION} was not promoted to paper, and no other version was."),
        (LIVE, ON_PAPER, f"Version {VERSION} was not promoted to live, and no other version was."),
        (LIVE, [promotion(LIVE)], f"Version {VERSION} was not promoted to paper, and no other version was."),
        (
            LIVE,
            [promotion(PAPER, OTHER_VERSION), promotion(LIVE)],
            f"Version {VERSION} was not promoted to paper: version {OTHER_VERSION} was",
        ),
        (
            LIVE,
            [*ON_PAPER, promotion(LIVE, OTHER_VERSION)],
            f"Version {VERSION} was not promoted to live: version {OTHER_VERSION} was",
        ),
        (
            LIVE,
            [*ON_PAPER, promotion(LIVE, source=OTHER_SOURCE)],
            "since it was promoted to live: its SHA-256 was bbbb",
        ),
    ],
)
def test_missing_stage_is_a_reason(wanted: Stage, promotions: list[Promotion], reason: str) -> None:
    assert reason in (may_trade(wanted, promotions, VERSION, SOURCE) or "")


@pytest.mark.parametrize("wanted", [PAPER, LIVE])
def test_changed_parameter_is_a_reason_that_names_the_promoted_version(wanted: Stage) -> None:
    reason = may_trade(wanted, ON_LIVE, OTHER_VERSION, SOURCE)
    assert reason == (
        f"Version {OTHER_VERSION} was not promoted to paper: version {VERSION} was, and the code version or the "
        "parameters have changed since."
    )


@pytest.mark.parametrize("wanted", [PAPER, LIVE])
def test_changed_source_of_the_same_version_is_a_reason(wanted: Stage) -> None:
    assert may_trade(wanted, ON_LIVE, VERSION, OTHER_SOURCE) == (
        f"The source of version {VERSION} has changed since it was promoted to paper: its SHA-256 was aaaaaaaaaaaa and "
        "is bbbbbbbbbbbb now."
    )


def test_stage_is_the_highest_at_which_the_code_may_trade() -> None:
    assert stage_of([], VERSION, SOURCE) is RESEARCH
    assert stage_of(ON_PAPER, VERSION, SOURCE) is PAPER
    assert stage_of(ON_LIVE, VERSION, SOURCE) is LIVE
    assert stage_of(ON_LIVE, VERSION, OTHER_SOURCE) is RESEARCH
