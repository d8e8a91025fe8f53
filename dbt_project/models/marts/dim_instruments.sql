with sessions as (
    select
        symbol,
        min(session_date) as first_bar_session,
        max(session_date) as last_bar_session,
        count(distinct session_date) as bar_sessions
    from {{ ref('stg_market__bars') }}
    group by symbol
)

select
    instruments.symbol,
    instruments.name,
    instruments.asset_class,
    instruments.exchange,
    instruments.currency,
    instruments.sector,
    instruments.is_tradable,
    instruments.is_shortable,
    instruments.instrument_id,
    instruments.is_fractionable,
    instruments.is_easy_to_borrow,
    instruments.is_unqualified_partnership,
    instruments.listed_on,
    instruments.last_session,
    sessions.first_bar_session,
    sessions.last_bar_session,
    coalesce(sessions.bar_sessions, 0) as bar_sessions
from {{ ref('stg_market__instruments') }} as instruments
left join sessions on instruments.symbol = sessions.symbol
