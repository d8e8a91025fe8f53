"""Parameters of strategies: what they take, how a refusal reads, and hashes that recorded ledgers rely on."""

from __future__ import annotations

from typing import Literal, Self

import pytest
from pydantic import Field, model_validator

from trading_assets.domain.strategy.parameters import ParameterError, StrategyParameters, facts_of, fingerprint, parse
from trading_assets.domain.strategy.strategy import strategy_version
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.rsi_reversion import RsiReversion
from trading_assets.strategies.sma_crossover import SmaCrossover


class Wishes(StrategyParameters):
    bars: int = Field(20, ge=2, le=250, description="bars")
    share: float = Field(0.5, gt=0, lt=1, description="share")
    side: Literal["long", "both"] = Field("long", description="which side")
    lags: tuple[int, ...] = Field((1, 5), description="lags")
    is_strict: bool = Field(False, description="strictness")
    most: float = Field(3.0, ge=0, description="most")

    @model_validator(mode="after")
    def _lags_fit(self) -> Self:
        if max(self.lags) > self.bars:
            raise ParameterError(f"parameter 'lags' is {self.lags}, accepted are lags up to 'bars' ({self.bars}).")
        return self


def refusal(**values: object) -> str:
    with pytest.raises(ParameterError) as caught:
        parse(Wishes, values, "Strategy 'wishes'")
    return str(caught.value)


@pytest.mark.parametrize(
    ("strategy", "version"),
    [
        # printf '{"fast":20,"slow":50,"timeframe":"1d"}' | sha256sum
        (SmaCrossover(fast=20, slow=50), "1+a9329b8c"),
        # printf '{"entry":30.0,"exit":55.0,"max_hold":20,"period":14,"timeframe":"1d"}' | sha256sum
        (RsiReversion(period=14, entry=30, exit=55, max_hold=20), "1+3981509e"),
    ],
)
def test_versions_in_recorded_ledgers_never_move(strategy, version):
    assert strategy_version(strategy, Timeframe.SESSION) == version


@pytest.mark.parametrize(
    ("values", "accepted"),
    [
        ({"bars": 1}, "'bars' is 1, accepted is a whole number from 2 to 250."),
        ({"bars": "20"}, "'bars' is '20', accepted is a whole number from 2 to 250."),
        ({"share": 1}, "'share' is 1, accepted is a number above 0 and below 1."),
        ({"most": -1.5}, "'most' is -1.5, accepted is a number at least 0."),
        ({"most": float("inf")}, "'most' is inf, accepted is a number at least 0."),
        ({"side": "short"}, "'side' is 'short', accepted is one of long, both."),
        ({"is_strict": 1}, "'is_strict' is 1, accepted is true or false."),
        ({"lags": [1, "x"]}, "'lags' is [1, 'x'], accepted is input should be a valid integer."),
    ],
)
def test_value_that_is_not_accepted_is_named_with_what_is(values, accepted):
    assert refusal(**values) == f"Strategy 'wishes': parameter {accepted}"


def test_unknown_parameter_lists_the_known_ones():
    assert refusal(bar=3) == (
        "Strategy 'wishes' has no parameter 'bar'. Accepted: bars, share, side, lags, is_strict, most."
    )


def test_parameters_that_contradict_each_other_are_refused_with_the_models_own_words():
    assert refusal(bars=3) == "Strategy 'wishes': parameter 'lags' is (1, 5), accepted are lags up to 'bars' (3)."


def test_required_parameter_that_is_missing_is_named():
    class Needy(StrategyParameters):
        level: float = Field(ge=0, le=1, description="level")

    with pytest.raises(ParameterError, match="parameter 'level' is missing, accepted is a number from 0 to 1"):
        parse(Needy, {}, "Strategy 'needy'")


def test_value_that_no_file_could_hold_is_refused():
    assert "a parameter is no plain value" in refusal(bars=object())


def test_lists_and_words_of_a_file_are_accepted_and_frozen():
    wishes = parse(Wishes, {"lags": [2, 3], "side": "both", "share": 0.25, "most": 7}, "Strategy 'wishes'")
    assert (wishes.lags, wishes.side, wishes.most) == ((2, 3), "both", 7.0)
    with pytest.raises(ValueError, match="frozen"):
        wishes.bars = 3


def test_whole_number_of_a_float_parameter_has_the_hash_of_the_float():
    whole, fraction = (parse(Wishes, {"most": value}, "Strategy 'wishes'") for value in (7, 7.0))
    assert fingerprint(facts_of(whole)) == fingerprint(facts_of(fraction))
