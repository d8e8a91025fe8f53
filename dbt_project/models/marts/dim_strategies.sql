select
    strategy,
    (array_agg(strategy_version order by decision_at desc))[1] as newest_version,
    count(distinct strategy_version) as version_count,
    count(distinct symbol) as symbol_count,
    min(session_date) as first_session,
    max(session_date) as last_session
from {{ ref('stg_strategy__signals') }}
group by strategy
