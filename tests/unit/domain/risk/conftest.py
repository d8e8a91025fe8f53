"""One calm account, one ordinary intent, the default limits: each test changes what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from standins.calm_market import calm_market, calm_prices

from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.risk.circumstances import BrokerLink, Circumstances, OrderTerms
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.market_view import MarketHistory, MarketView, SessionHistory
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.risk.verdicts import AccountSnapshot, Intent, Purpose, TradingState
from trading_assets.domain.values import Side
from trading_assets.settings import RiskSettings

COUNTS = {field.name for field in fields(RiskLimits) if "int" in str(field.type)}

CLOSE = datetime(2012, 6, 1, 20, tzinfo=UTC)
SESSION = date(2012, 6, 1)

SYMBOLS = ("AAA", "BBB", "CCC", *(f"S{number:02}" for number in range(50)))

ORDINARY_DAY = Circumstances(
    account_id="simulated",
    broker="simulated",
    configured_broker="simulated",
    configured_number="PA1234",
    terms=OrderTerms(placement="later", cut_off_at=CLOSE + timedelta(days=3)),
    newest_close=CLOSE,
    reference_at=CLOSE,
    standings=always_tradable(SYMBOLS),
)

WELL = BrokerLink(
    venue="simulated",
    account_number="PA1234",
    clock_skew_ms=0,
    heartbeat_at=CLOSE,
    reconciled_at=CLOSE,
    connected_at=CLOSE,
    quotes={"AAA": (Decimal("49.99"), Decimal("50.01"))},
)

CALM = AccountSnapshot(
    at=CLOSE,
    session_date=SESSION,
    trading_state=TradingState.ACTIVE,
    equity_usd=Decimal(100_000),
    cash_usd=Decimal(100_000),
    start_equity_usd=Decimal(100_000),
    high_water_mark_usd=Decimal(100_000),
    positions={},
    strategy_positions={},
    working_buys={},
    working_sells={},
    strategy_working_buys={},
    strategy_working_sells={},
    working_buy_value_usd=Decimal(0),
    reference_prices={"AAA": Decimal(50), "BBB": Decimal(50)},
    marks={"AAA": Decimal(50), "BBB": Decimal(50)},
    gates={"AAA": "open", "BBB": "open"},
    circumstances=ORDINARY_DAY,
    market=calm_market(SYMBOLS, SESSION, SESSION).view(CLOSE, SESSION, {}),
)

ORDINARY = Intent(
    intent_id="00",
    account_id="simulated",
    strategy="alpha",
    strategy_version="1+00000000",
    symbol="AAA",
    side=Side.BUY,
    purpose=Purpose.OPEN,
    decision_at=CLOSE,
    session_date=SESSION,
    target_weight=Decimal("0.05"),
    qty=Decimal(100),
)


def _exact(value: Any) -> Any:
    """Plain numbers in a test's table become the decimals of the domain; everything else stays."""
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    try:
        return Decimal(value)
    except ArithmeticError:
        return value


def _market() -> MarketView:
    """Sixty sessions: BBB moves with AAA, CCC on its own. AAA has a beta of 1.2; 100,000 USD change hands a day."""
    days = sessions_between(date(2012, 1, 3), SESSION)[-61:]
    market = np.resize([0.01, -0.01], 60)
    own = np.resize([0.01, 0.01, -0.01, -0.01], 60)
    history = SessionHistory(
        after=session(days[0]).opens_at,
        until=CLOSE,
        columns={"AAA": 0, "BBB": 1, "CCC": 2},
        closes_at=np.array([session(day).closes_at.replace(tzinfo=None) for day in days[1:]], dtype="datetime64[us]"),
        returns=np.column_stack([market, market + 0.1 * own, 0.9 * own]),
        dollars=np.full((60, 3), 100_000.0),
    )
    volumes = dict.fromkeys(history.columns, Decimal(2_000))
    prices = [calm_prices(SYMBOLS, SESSION, SESSION)]
    return MarketHistory([history], prices=prices).view(CLOSE, SESSION, volumes)


KNOWN_MARKET = {"market": _market(), "strategy_equity_usd": {"alpha": Decimal(100_000)}}


@pytest.fixture(scope="session")
def known_market() -> Mapping[str, Any]:
    """What a snapshot has in addition where limits ask for the market or for strategies' capital."""
    return KNOWN_MARKET


@pytest.fixture(scope="session")
def snapshot() -> Callable[..., AccountSnapshot]:
    """The calm account with changes. Positions given without their strategies belong to strategy alpha.

    `day` are changes of its circumstances, of their `terms`, and of a `link` to a broker that is well.
    """

    def build(day: Mapping[str, Any] = MappingProxyType({}), **changes: Any) -> AccountSnapshot:
        terms = replace(ORDINARY_DAY.terms, **day.get("terms", {}))
        link = replace(WELL, **day["link"]) if "link" in day else None
        changes.setdefault("circumstances", replace(ORDINARY_DAY, **{**day, "terms": terms, "link": link}))
        exact = _exact(changes)
        if "positions" in exact and "strategy_positions" not in exact:
            exact["strategy_positions"] = {("alpha", symbol): qty for symbol, qty in exact["positions"].items()}
        return replace(CALM, **exact)

    return build


@pytest.fixture(scope="session")
def intent() -> Callable[..., Intent]:
    """The ordinary intent (buy 100 AAA at 50) with changes."""

    def build(**changes: Any) -> Intent:
        qty = {"qty": _exact(changes.pop("qty"))} if "qty" in changes else {}
        return replace(ORDINARY, **changes, **qty)

    return build


@pytest.fixture(scope="session")
def limits() -> Callable[..., RiskLimits]:
    """The default limits of trading.yaml with changes."""

    def build(**changes: Any) -> RiskLimits:
        counts = {name: value for name, value in changes.items() if name in COUNTS}
        return replace(RiskLimits.of(RiskSettings().limits()), **_exact(changes) | counts)

    return build
