{{ config(meta={'dagster': {'ref': {'name': 'stg_execution__order_states'}}}) }}
select
    intent_id,
    count(*) as live_orders
from {{ ref('stg_execution__order_states') }}
where not is_terminal
group by intent_id
having count(*) > 1
