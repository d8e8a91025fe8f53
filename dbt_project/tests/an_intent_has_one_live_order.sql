{{ config(meta={'dagster': {'ref': {'name': 'int_orders__latest_status'}}}) }}
select
    intent_id,
    count(*) as live_orders
from {{ ref('int_orders__latest_status') }}
where not is_terminal
group by intent_id
having count(*) > 1
