"""What trading.yaml means to the time loop: the rules an account trades by, and its name."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.simulation import Rules
from trading_assets.domain.values import decimal_of

if TYPE_CHECKING:
    from trading_assets.settings import TradingSettings


def rules_of(settings: TradingSettings) -> Rules:
    broker = settings.broker
    return Rules(
        limits=RiskLimits.of(settings.risk.model_dump()),
        fill_model=FillModel(broker.slippage_bps, broker.volume_limit),
        exits={
            name: ExitPlan(**{kind: decimal_of(fraction) for kind, fraction in strategy.exits.chosen().items()})
            for name, strategy in settings.strategies.items()
            if strategy.exits is not None
        },
    )


def account_name(broker: str, fingerprint: str, inception: date) -> str:
    """The id of the account that trades the configuration `fingerprint` from session `inception` on."""
    return f"{broker}-{fingerprint}-{inception}"
