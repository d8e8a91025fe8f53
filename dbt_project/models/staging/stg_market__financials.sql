select
    symbol,
    statement,
    item,
    months,
    period_end,
    version,
    amount,
    currency,
    filed_at,
    counts_from,
    known_at,
    source
from {{ source('market', 'financials') }}
