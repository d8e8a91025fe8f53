"""How a rehearsal on a local Alpaca begins or goes on, and what the platform is told to trade there.

The settings of trading.yaml stay as they are: what differs is in environment variables of one run.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trading_assets.adapters.embedded.processes import LOOPBACK, claim_folder, free_port
from trading_assets.local_alpaca.journal import Beginning, Journal
from trading_assets.local_alpaca.market import finest_of, order_time
from trading_assets.local_alpaca.server import PAPER_KEY, SECRET
from trading_assets.settings import OVERRIDES_VARIABLE, SettingsError

if TYPE_CHECKING:
    from trading_assets.settings import TradingSettings

FOLDER = "local-alpaca"
NEWEST = "account.jsonl"


@dataclass(frozen=True)
class Prepared:
    """A rehearsal that can be started: its journal, the port it will listen on, and whether it goes on."""

    journal: Path
    port: int
    account_number: str
    is_continued: bool

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def variables(self) -> Mapping[str, str]:
        """The environment of everything that trades in the rehearsal."""
        overrides = {
            "broker.kind": "alpaca",
            "broker.environment": "paper",
            "broker.account": self.account_number,
            "broker.url": self.url,
            "alpaca.trading_url": self.url,
            "alpaca.data_url": self.url,
        }
        return {
            OVERRIDES_VARIABLE: json.dumps(overrides),
            "ALPACA_API_KEY": PAPER_KEY,
            "ALPACA_SECRET_KEY": SECRET,
        }


def prepare(home: Path, settings: TradingSettings, now: datetime, port: int | None = None) -> Prepared:
    """Go on with the rehearsal in `home`, or begin one at `now` (UTC) where there is none or its time is later.

    Raises SettingsError where Alpaca is asked for data, which needs a key of its own, and ContractBroken for a journal
    that cannot be read.
    """
    if "alpaca" in {settings.source, *settings.fallbacks, *settings.comparison.vendors}:
        raise SettingsError(
            "A rehearsal on a local Alpaca takes the place of Alpaca's key, and trading.yaml asks Alpaca for data: "
            "choose another source, fall-back or comparison for it."
        )
    path = claim_folder(home / FOLDER) / NEWEST
    is_continued = path.exists() and Journal(path).newest_time() <= now
    if not is_continued:
        _begin(path, settings, now)
    return Prepared(path, port or free_port(0), Journal(path).beginning().account_number, is_continued)


def _begin(path: Path, settings: TradingSettings, now: datetime) -> None:
    if path.exists():
        path.replace(path.with_name(f"{Journal(path).beginning().account_number}.jsonl"))
    broker = settings.broker
    number = f"PALOCAL{secrets.token_hex(3).upper()}"
    at = order_time(now, finest_of(settings.timeframes))
    Journal(path).begin(Beginning(number, at, broker.opening_cash_usd, broker.slippage_bps, broker.volume_limit))
