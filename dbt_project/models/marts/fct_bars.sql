select
    symbol,
    timeframe,
    ts,
    version,
    closes_at,
    session_date,
    open,
    high,
    low,
    close,
    volume,
    source,
    known_at
from {{ ref('stg_market__bars') }}
