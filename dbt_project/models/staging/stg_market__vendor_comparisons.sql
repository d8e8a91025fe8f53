select
    vendor,
    symbol,
    timeframe,
    ts,
    session_date,
    outcome,
    source,
    open_diff_bps,
    high_diff_bps,
    low_diff_bps,
    close_diff_bps,
    volume_diff_pct,
    compared_at
from {{ source('market', 'vendor_comparisons') }}
