{{ config(meta={'dagster': {'ref': {'name': 'stg_risk__portfolio_risk'}}}) }}
-- The newest measurement of a session has the equity and the positions of the ledger at the bar close it names.
with newest as (
    select distinct on (account_id, session_date) *
    from {{ ref('stg_risk__portfolio_risk') }}
    order by account_id asc, session_date asc, at desc
),

held as (
    select
        account_id,
        session_date,
        as_of,
        symbol,
        abs(sum(value_usd)) as gross_usd
    from {{ ref('stg_execution__positions') }}
    group by account_id, session_date, as_of, symbol
),

booked as (
    select
        account_id,
        session_date,
        as_of,
        sum(gross_usd) as gross_usd
    from held
    group by account_id, session_date, as_of
)

select
    newest.account_id,
    newest.at
from newest
inner join {{ ref('stg_execution__equity') }} as equity
    on newest.account_id = equity.account_id and newest.marked_at = equity.at
left join booked
    on equity.account_id = booked.account_id and equity.session_date = booked.session_date and equity.at = booked.as_of
where
    newest.equity_usd <> equity.equity_usd
    or abs(newest.gross_usd - booked.gross_usd::double precision) > {{ tolerance_usd() }}
