-- Which instruments are partnerships whose sale is taxed at the source.

alter table market.instrument_facts add column is_unqualified_partnership boolean;
comment on column market.instrument_facts.is_unqualified_partnership is
    'Whether it is a publicly traded partnership without a qualified notice (IRC 1446(f)); null where the source does not say.';

create or replace view market.instruments as
    select held.symbol, facts.name, facts.asset_class, facts.exchange, facts.currency, facts.sector,
           facts.is_tradable, facts.is_shortable,
           case when facts.first_session is not null then greatest(facts.first_session, held.valid_from) end
               as first_session,
           facts.source, facts.known_at, held.instrument_id, facts.is_fractionable, facts.is_easy_to_borrow,
           facts.listed_on, coalesce(held.valid_to, facts.delisted_on) as last_session,
           facts.is_unqualified_partnership
    from (
        select distinct on (symbol) * from market.instrument_symbols
        where superseded_at is null order by symbol, valid_from desc
    ) as held
    join lateral (
        select * from market.instrument_facts
        where instrument_id = held.instrument_id
        order by known_at desc, version desc, source limit 1
    ) as facts on true;
