-- What the account booked besides profit, by whose it is. A fee that no sale can bear stays with the account.
with fees as (
    select
        activity_id,
        account_id,
        at,
        -amount_usd as fee_usd
    from {{ ref('stg_execution__activities') }}
    where kind in {{ kinds_of_fees() }}
),

borne as (
    select
        activity_id,
        sum(fee_usd) as fee_usd
    from {{ ref('int_fees__shared_by_fills') }}
    group by activity_id
)

select
    account_id,
    coalesce(strategy, {{ unallocated() }}) as strategy,
    at,
    amount_usd as dividend_usd,
    0 as fee_usd
from {{ ref('stg_execution__activities') }}
where kind = 'dividend'
union all
select
    fees.account_id,
    fills.strategy,
    fees.at,
    0 as dividend_usd,
    shares.fee_usd
from {{ ref('int_fees__shared_by_fills') }} as shares
inner join fees on shares.activity_id = fees.activity_id
inner join {{ ref('stg_execution__fills') }} as fills on shares.execution_id = fills.execution_id
union all
select
    fees.account_id,
    {{ unallocated() }} as strategy,
    fees.at,
    0 as dividend_usd,
    fees.fee_usd - coalesce(borne.fee_usd, 0) as fee_usd
from fees
left join borne on fees.activity_id = borne.activity_id
