"""Readings of what the law and the broker ask of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading_assets.domain.risk.breakers import REGIME_BREAKERS
from trading_assets.domain.risk.inputs import InputMissingError
from trading_assets.domain.risk.margin_rules import DayTradingRule, day_trading_rule, maintenance_per_share
from trading_assets.domain.risk.readings.circumstances import circumstances
from trading_assets.domain.risk.rules.ruling import MILLION, Count, Flag, Usd

if TYPE_CHECKING:
    from trading_assets.domain.risk.case import Case, Standing


def day_trader_min_equity_usd(standing: Standing) -> Usd:
    """The equity below which day trades are counted; 0 in a cash account, and on days on which nobody counts them."""
    if not circumstances(standing).is_margin_account:
        return 0
    return _day_trading_rule(standing).min_equity_usd * MILLION


def max_day_trades(standing: Standing) -> Count:
    """Day trades of an account below that equity; 0 where nobody counts them."""
    return _day_trading_rule(standing).max_day_trades or 0


def regime_breakers(standing: Standing) -> Count:
    """Tripped breakers of the market's regime."""
    return sum(breaker in REGIME_BREAKERS for breaker in standing.snapshot.tripped_breakers)


def is_own_broker(standing: Standing) -> Flag:
    """Whether the account is at the broker that is configured."""
    known = circumstances(standing)
    return known.broker == known.configured_broker


def is_key_for_venue(standing: Standing) -> Flag:
    """Whether the key in use is for the broker, and for paper or live, as configured; true at a simulated broker."""
    return _is_as_configured(standing, "venue", circumstances(standing).configured_broker)


def is_allowed_number(standing: Standing) -> Flag:
    """Whether the key opens the account whose number is configured; true at a simulated broker."""
    return _is_as_configured(standing, "account_number", circumstances(standing).configured_number)


def day_trades(case: Case) -> Count:
    """Day trades of the five sessions that end with the order's, its own not counted, open orders as if executed; 0
    where nobody counts them."""
    counted = case.projection.day_trades
    return 0 if counted is None else counted.count


def is_day_trade(case: Case) -> Flag:
    """Whether the order would close what was opened in the session in which it is executed."""
    counted = case.projection.day_trades
    return counted is not None and counted.would_be_one(case.intent.symbol, case.intent.side)


def margin_per_share(case: Case) -> Usd:
    """Maintenance margin of a share of this side at the reference price."""
    return maintenance_per_share(case.projection.reference_price(case.intent.symbol), case.intent.side)


def other_margin_usd(case: Case) -> Usd:
    """Sum of the worst maintenance margins of all other symbols."""
    return case.projection.margin_without_usd(case.intent.symbol)


def open_breaks(case: Case) -> Count:
    """Differences from the broker's record that nobody has explained, in the symbol; 0 at a simulated broker."""
    link = circumstances(case).link
    return 0 if link is None else link.open_breaks.get(case.intent.symbol, 0)


def is_own_account(case: Case) -> Flag:
    """Whether the intent is for the account that was loaded."""
    return case.intent.account_id == circumstances(case).account_id


def _is_as_configured(standing: Standing, name: str, configured: str | None) -> bool:
    """Whether that is what the link says; of an account at another broker nothing is."""
    known = circumstances(standing)
    if known.link is None:
        return True
    if known.broker != known.configured_broker:
        return False
    said: str | None = getattr(known.link, name)
    if said is None:
        raise InputMissingError(name)
    return said == configured


def _day_trading_rule(standing: Standing) -> DayTradingRule:
    return day_trading_rule(standing.snapshot.session_date)


OF_ACCOUNT = (
    day_trader_min_equity_usd,
    max_day_trades,
    regime_breakers,
    is_own_broker,
    is_key_for_venue,
    is_allowed_number,
)
OF_ORDER = (day_trades, is_day_trade, margin_per_share, other_margin_usd, open_breaks, is_own_account)
