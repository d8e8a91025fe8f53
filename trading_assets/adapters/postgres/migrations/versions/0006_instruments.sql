-- Corporate actions of every kind, instruments that outlive their symbols, and universes with a history of members.

-- corporate actions -------------------------------------------------------------------------------

alter table market.corporate_actions
    drop constraint corporate_actions_pkey,
    drop constraint corporate_actions_kind_check,
    drop constraint corporate_actions_check,
    drop constraint corporate_actions_check1,
    add column distributed_symbol text             not null default '',
    add column new_symbol         text,
    add column share_ratio        double precision check (share_ratio > 0),
    add column value_usd          double precision check (value_usd > 0),
    add column reason             text             check (reason in ('merger', 'redemption', 'worthless')),
    add primary key (symbol, ex_date, kind, distributed_symbol, version),
    add constraint corporate_actions_kind_check check (
        kind in ('split', 'cash_dividend', 'stock_dividend', 'spin_off', 'rename', 'delisting')),
    add constraint corporate_actions_fields_fit_the_kind check (
        (kind = 'split') = (split_ratio is not null)
        and (kind <> 'cash_dividend' or amount_usd is not null)
        and (amount_usd is null or kind in ('cash_dividend', 'delisting'))
        and (kind not in ('stock_dividend', 'spin_off') or share_ratio is not null)
        and (share_ratio is null or kind in ('stock_dividend', 'spin_off', 'delisting'))
        and (kind not in ('spin_off', 'rename') or new_symbol is not null)
        and (new_symbol is null or kind in ('spin_off', 'rename', 'delisting'))
        and (value_usd is null or kind = 'spin_off')
        and (kind = 'delisting') = (reason is not null)),
    add constraint corporate_actions_terms_of_a_delisting check (
        kind <> 'delisting' or (new_symbol is null) = (share_ratio is null)),
    add constraint corporate_actions_distributed_symbol_is_the_new_one check (
        distributed_symbol = case when kind = 'spin_off' then new_symbol else '' end),
    add constraint corporate_actions_symbol_changes check (new_symbol <> symbol);

comment on column market.corporate_actions.distributed_symbol is
    'Part of the key, because two companies can be spun off on one day; empty for the other kinds.';
comment on column market.corporate_actions.new_symbol is
    'rename: the symbol from the ex-date on; spin_off: what is distributed; delisting: the acquirer''s shares, if any.';
comment on column market.corporate_actions.share_ratio is
    'Shares received for one old share: additional ones (stock_dividend), or of new_symbol (spin_off, delisting).';
comment on column market.corporate_actions.amount_usd is
    'Cash for one old share: a dividend, or what is paid out at a delisting.';
comment on column market.corporate_actions.value_usd is
    'Worth of what a spin-off distributes for one old share; null where the source does not say.';

create view market.price_effects as
    select symbol, ex_date,
           coalesce(max(split_ratio), 1)
               * (1 + coalesce(max(share_ratio) filter (where kind = 'stock_dividend'), 0)) as own_shares,
           coalesce(sum(case kind when 'cash_dividend' then amount_usd when 'spin_off' then value_usd end), 0)
               as value_usd
    from (
        select distinct on (symbol, ex_date, kind, distributed_symbol) *
        from market.corporate_actions
        order by symbol, ex_date, kind, distributed_symbol, version desc
    ) as newest
    where kind in ('split', 'cash_dividend', 'stock_dividend', 'spin_off')
    group by symbol, ex_date;
comment on view market.price_effects is
    'What one share before the ex-date became: own_shares of itself, and value_usd of cash and of distributed shares.';

alter table execution.activities
    drop constraint activities_kind_check,
    add constraint activities_kind_check check (kind in (
        'deposit', 'withdrawal', 'dividend', 'fee_sec', 'fee_taf', 'split', 'transfer', 'cash_in_lieu', 'delisting'));


-- instruments -------------------------------------------------------------------------------------

create type market.text_range as range (subtype = text);
comment on type market.text_range is 'For exclusion constraints on equal texts without the extension btree_gist.';

create table market.instrument_facts (
    instrument_id     text        not null,
    source            text        not null,
    version           smallint    not null default 1,
    name              text        not null,
    asset_class       text        not null default 'us_equity',
    exchange          text        not null,
    currency          text        not null default 'USD',
    sector            text,
    is_tradable       boolean     not null,
    is_shortable      boolean     not null default false,
    is_fractionable   boolean,
    is_easy_to_borrow boolean,
    first_session     date,
    listed_on         date,
    delisted_on       date,
    known_at          timestamptz not null default clock_timestamp(),
    primary key (instrument_id, source, version)
);
call ops.make_append_only('market.instrument_facts');
comment on table market.instrument_facts is 'What each source says of an instrument. A changed fact is a new version.';
comment on column market.instrument_facts.is_fractionable is 'Null where the source does not say.';
comment on column market.instrument_facts.first_session is 'First session the source has bars of.';
comment on column market.instrument_facts.delisted_on is 'Last day of trading; null while it is listed.';

create table market.instrument_identifiers (
    scheme        text        not null,
    identifier    text        not null,
    instrument_id text        not null,
    known_at      timestamptz not null default clock_timestamp(),
    primary key (scheme, identifier)
);
comment on table market.instrument_identifiers is
    'Permanent names that others gave an instrument: scheme is figi, or the source whose own id it is.';

create table market.instrument_symbols (
    instrument_id text        not null,
    symbol        text        not null,
    valid_from    date        not null,
    valid_to      date,
    source        text        not null,
    known_at      timestamptz not null default clock_timestamp(),
    superseded_at timestamptz,
    check (valid_to >= valid_from),
    check (superseded_at > known_at),
    constraint a_symbol_means_one_instrument_a_day exclude using gist (
        market.text_range(symbol, symbol, '[]') with &&,
        daterange(valid_from, valid_to, '[]') with &&,
        tstzrange(known_at, superseded_at) with &&),
    constraint an_instrument_has_one_symbol_a_day exclude using gist (
        market.text_range(instrument_id, instrument_id, '[]') with &&,
        daterange(valid_from, valid_to, '[]') with &&,
        tstzrange(known_at, superseded_at) with &&)
);
create index instrument_symbols_by_instrument on market.instrument_symbols (instrument_id);
comment on table market.instrument_symbols is
    'Which instrument a symbol means on which days. What turns out to be wrong is superseded, never changed.';
comment on column market.instrument_symbols.valid_to is 'Last day, inclusive; null while it is still valid.';

create function market.only_supersede() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.superseded_at is null and new.superseded_at is not null
       and to_jsonb(new) - 'superseded_at' = to_jsonb(old) - 'superseded_at' then
        return new;
    end if;
    raise exception '%.% is append-only: a row can only be superseded, once', tg_table_schema, tg_table_name
        using errcode = 'integrity_constraint_violation';
end $$;
create trigger only_supersede before update or delete on market.instrument_symbols
    for each row execute function market.only_supersede();
create trigger never_truncate before truncate on market.instrument_symbols
    for each statement execute function ops.forbid_change();

with known as (
    select *, symbol || '@' || coalesce(first_session::text, 'unknown') as instrument_id from market.instruments
), facts as (
    insert into market.instrument_facts (instrument_id, source, name, asset_class, exchange, currency, sector,
        is_tradable, is_shortable, first_session, known_at)
    select instrument_id, source, name, asset_class, exchange, currency, sector,
        is_tradable, is_shortable, first_session, known_at
    from known
)
insert into market.instrument_symbols (instrument_id, symbol, valid_from, source, known_at)
select instrument_id, symbol, coalesce(first_session, date '1900-01-01'), source, known_at from known;

-- Views of the reports depend on it; the next build makes them again.
drop table market.instruments cascade;

create view market.instruments as
    select held.symbol, facts.name, facts.asset_class, facts.exchange, facts.currency, facts.sector,
           facts.is_tradable, facts.is_shortable,
           case when facts.first_session is not null then greatest(facts.first_session, held.valid_from) end
               as first_session,
           facts.source, facts.known_at, held.instrument_id, facts.is_fractionable, facts.is_easy_to_borrow,
           facts.listed_on, coalesce(held.valid_to, facts.delisted_on) as last_session
    from (
        select distinct on (symbol) * from market.instrument_symbols
        where superseded_at is null order by symbol, valid_from desc
    ) as held
    join lateral (
        select * from market.instrument_facts
        where instrument_id = held.instrument_id
        order by known_at desc, version desc, source limit 1
    ) as facts on true;
comment on view market.instruments is
    'One row a symbol: the instrument it means now, or meant last, with the newest facts about it.';


-- universes ---------------------------------------------------------------------------------------

create table market.universe_members (
    universe_id text        not null,
    symbol      text        not null,
    valid_from  date        not null,
    valid_to    date,
    known_at    timestamptz not null default clock_timestamp(),
    primary key (universe_id, symbol, valid_from),
    check (valid_to >= valid_from),
    exclude using gist (
        market.text_range(universe_id, universe_id, '[]') with &&,
        market.text_range(symbol, symbol, '[]') with &&,
        daterange(valid_from, valid_to, '[]') with &&)
);
call ops.make_append_only('market.universe_members');
comment on table market.universe_members is
    'Who belonged to a universe on which days. universe_id is the hash of all its rows: a changed list is another universe.';
