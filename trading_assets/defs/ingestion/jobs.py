"""The job that fetches market data and checks them, without strategies and trading."""

import dagster as dg

from trading_assets.defs.ingestion.fundamentals import FINANCIALS, FUNDAMENTALS
from trading_assets.defs.ingestion.quotes import QUOTES
from trading_assets.defs.ingestion.vendor_comparisons import VENDOR_COMPARISONS

# Companies report by the quarter, quotes have a rhythm of their own, and a comparison of vendors decides nothing: no
# reason to ask at every tick.
MARKET_DATA = dg.AssetSelection.groups("ingestion") - dg.AssetSelection.assets(
    FINANCIALS, FUNDAMENTALS, QUOTES, VENDOR_COMPARISONS
)

fetch_market_data_job = dg.define_asset_job(
    "fetch_market_data_job",
    selection=MARKET_DATA,
    description="Instruments, corporate actions and bars of the chosen sessions, and the checks of the bars.",
)
