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
    source,
    instrument_id,
    is_fractionable,
    is_easy_to_borrow,
    is_unqualified_partnership,
    listed_on,
    last_session
from {{ source('market', 'instruments') }}
