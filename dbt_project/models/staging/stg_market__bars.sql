select distinct on (symbol, timeframe, ts)
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
from {{ source('market', 'bars') }}
order by symbol, timeframe, ts, version desc
