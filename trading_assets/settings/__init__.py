"""Typed settings from trading.yaml and the environment.

A section of trading.yaml is a model; what reads the file, and what reads the environment, is apart from them.
"""

from trading_assets.settings.configuration_file import load_trading_settings, overridden, read_override
from trading_assets.settings.environment import (
    OVERRIDES_VARIABLE,
    PROJECT_ROOT,
    Environment,
    config_path,
    load_env_file,
    load_environment,
    publish_environment,
    temporary_environment,
)
from trading_assets.settings.risk import BreakerSettings, ProtectionSettings, RiskMonitorSettings, RiskSettings
from trading_assets.settings.section import STRATEGY_NAME, Section, SettingsError
from trading_assets.settings.services import (
    BrokerSettings,
    ComparisonSettings,
    EmailSettings,
    NotificationSettings,
)
from trading_assets.settings.strategies import StrategyLimitSettings, StrategySettings
from trading_assets.settings.trading import TradingSettings

__all__ = [
    "OVERRIDES_VARIABLE",
    "PROJECT_ROOT",
    "STRATEGY_NAME",
    "BreakerSettings",
    "BrokerSettings",
    "ComparisonSettings",
    "EmailSettings",
    "Environment",
    "NotificationSettings",
    "ProtectionSettings",
    "RiskMonitorSettings",
    "RiskSettings",
    "Section",
    "SettingsError",
    "StrategyLimitSettings",
    "StrategySettings",
    "TradingSettings",
    "config_path",
    "load_env_file",
    "load_environment",
    "load_trading_settings",
    "overridden",
    "publish_environment",
    "read_override",
    "temporary_environment",
]
