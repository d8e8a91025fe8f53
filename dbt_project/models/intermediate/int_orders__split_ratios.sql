-- How many new shares stand for one share as it was ordered, from each split on that an order lived through.
with splits as (
    select distinct
        client_order_id,
        at,
        substring(detail from '^split (.+)$')::numeric as ratio
    from {{ ref('stg_execution__order_events') }}
    where detail like 'split %'
)

select
    client_order_id,
    at as from_at,
    lead(at, 1, 'infinity') over in_order as until_at,
    round(exp(sum(ln(ratio)) over in_order), 12) as ratio
from splits
window in_order as (partition by client_order_id order by at)
