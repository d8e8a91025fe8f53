select distinct on (symbol, statement, item, months, period_end)
    symbol,
    statement,
    item,
    months,
    period_end,
    amount,
    currency,
    first_value(amount) over versions as first_amount,
    version as versions,
    filed_at,
    first_value(counts_from) over versions as first_counts_from,
    counts_from,
    first_value(known_at) over versions as first_known_at,
    known_at,
    source
from {{ ref('stg_market__financials') }}
window versions as (partition by symbol, statement, item, months, period_end order by version)
order by symbol, statement, item, months, period_end, version desc
