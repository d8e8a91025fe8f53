select
    vendor,
    symbol,
    timeframe,
    min(session_date) as first_session,
    max(session_date) as last_session,
    count(*) filter (where outcome = 'both') as bars_compared,
    count(*) filter (where outcome = 'missing_at_vendor') as bars_missing_at_vendor,
    count(*) filter (where outcome = 'missing_here') as bars_missing_here,
    percentile_cont(0.5) within group (order by abs(close_diff_bps)) as median_close_diff_bps,
    max(abs(close_diff_bps)) as largest_close_diff_bps,
    max(greatest(abs(open_diff_bps), abs(high_diff_bps), abs(low_diff_bps))) as largest_other_diff_bps,
    percentile_cont(0.5) within group (order by abs(volume_diff_pct)) as median_volume_diff_pct
from {{ ref('stg_market__vendor_comparisons') }}
group by vendor, symbol, timeframe
