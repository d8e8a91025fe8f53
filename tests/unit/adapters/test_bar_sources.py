"""Which source is asked, and which one next."""

from collections.abc import Sequence
from datetime import date

import pytest
from pydantic import SecretStr

from trading_assets.adapters.alpaca import AlpacaSource
from trading_assets.adapters.bar_sources import FallbackSource, build_bar_source
from trading_assets.adapters.errors import (
    AdapterError,
    AuthFailed,
    ContractBroken,
    NotFound,
    RateLimited,
    Transient,
    Unreachable,
)
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.sample import SampleSource
from trading_assets.domain.market.instruments import Instrument
from trading_assets.settings import Environment, TradingSettings

NOWHERE = Database("postgresql://nobody@127.0.0.1:9/none")
DAY = date(2010, 3, 1)


class Failing(SampleSource):
    """A source that fails; the others are the sample under another name."""

    def __init__(self, name: str, failure: AdapterError | None = None) -> None:
        super().__init__()
        self.name = name
        self.failure = failure

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        if self.failure:
            raise self.failure
        return super().instruments(symbols)


def settings(source: str, **more: object) -> TradingSettings:
    return TradingSettings.model_validate(
        {"source": source, "universe": ["AAPL"], "timeframes": ["1d"], "strategies": {}, **more}
    )


@pytest.mark.parametrize("failure", [Transient("t"), Unreachable("u"), RateLimited("r"), ContractBroken("c")])
def test_vendor_that_fails_is_followed_by_the_next(failure: AdapterError, caplog: pytest.LogCaptureFixture) -> None:
    source = FallbackSource([Failing("one", failure), Failing("two")])
    assert source.name == "one"
    assert [instrument.symbol for instrument in source.instruments(["AAPL"])] == ["AAPL"]
    assert source.name == "two"
    assert f"one failed: {failure}" in caplog.text


@pytest.mark.parametrize("failure", [AuthFailed("a"), NotFound("n")])
def test_mistake_that_somebody_has_to_mend_is_not_passed_over(failure: AdapterError) -> None:
    with pytest.raises(type(failure)):
        FallbackSource([Failing("one", failure), Failing("two")]).instruments(["AAPL"])


def test_all_failing_raises_the_failure_of_the_preferred_one() -> None:
    source = FallbackSource([Failing("one", Unreachable("first")), Failing("two", ContractBroken("second"))])
    with pytest.raises(Unreachable, match="first"):
        source.instruments(["AAPL"])


def test_preferred_vendor_is_asked_first_every_time() -> None:
    preferred = Failing("one", Unreachable("once"))
    source = FallbackSource([preferred, Failing("two")])
    source.corporate_actions(["AAPL"], DAY, DAY)
    source.instruments(["AAPL"])
    preferred.failure = None
    source.instruments(["AAPL"])
    assert source.name == "one"


@pytest.mark.parametrize(
    ("source", "missing"),
    [("alpaca", "ALPACA_API_KEY"), ("polygon", "POLYGON_API_KEY")],
)
def test_vendor_without_its_key_says_which_variable_to_set(source: str, missing: str) -> None:
    with pytest.raises(AuthFailed, match=f"{missing} is not set"):
        build_bar_source(settings(source), Environment(), NOWHERE)


def test_key_of_a_vendor_shows_in_no_text() -> None:
    environment = Environment(alpaca_api_key=SecretStr("hunter2"), alpaca_secret_key=SecretStr("hunter2"))
    source = build_bar_source(settings("alpaca", alpaca={"feed": "sip", "delay_minutes": 15}), environment, NOWHERE)
    assert isinstance(source, AlpacaSource)
    assert (source.feed, source.delay.total_seconds()) == ("sip", 900)
    assert "hunter2" not in repr(source)
