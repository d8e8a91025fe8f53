select
    sweep_id,
    name,
    method,
    trials,
    left_out
from {{ source('strategy', 'sweeps') }}
