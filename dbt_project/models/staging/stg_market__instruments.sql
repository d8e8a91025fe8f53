select
    symbol,
    name,
    asset_class,
    exchange,
    currency,
    sector,
    is_tradable,
    is_shortable,
    first_session,
    source
from {{ source('market', 'instruments') }}
