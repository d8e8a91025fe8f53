-- What happened to the data, for whoever wants to react: recorded with the change itself, numbered when it is committed.

create table ops.events (
    event_no      bigint      primary key check (event_no > 0),
    topic         text        not null check (topic ~ '^[a-z][a-z_]*$'),
    facts         jsonb       not null default '{}' check (jsonb_typeof(facts) = 'object'),
    first_session date,
    last_session  date,
    occurred_at   timestamptz not null,
    check ((first_session is null) = (last_session is null)),
    check (first_session <= last_session)
);
call ops.make_append_only('ops.events');
comment on table ops.events is
    'Numbered 1, 2, 3, ... in the order of the commits, without a gap: whoever has seen n has seen everything before it.';
comment on column ops.events.first_session is 'The first session whose data changed; null where sessions mean nothing.';
comment on column ops.events.occurred_at is 'When the change was committed.';

create table ops.event_drafts (
    draft_no      bigint primary key generated always as identity,
    topic         text   not null,
    facts         jsonb  not null,
    first_session date,
    last_session  date
);
comment on table ops.event_drafts is
    'Events of transactions that are not committed yet. Nobody ever sees a row here: the commit turns it into an event.';

-- A number taken at the insert would be visible later than a greater one of a transaction that commits first, and whoever
-- reads "everything after n" would miss it. So the number is taken at the commit, under a lock that the commit releases.
create function ops.number_event() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtext('ops.events'));
    insert into ops.events (event_no, topic, facts, first_session, last_session, occurred_at)
    select coalesce(max(event_no), 0) + 1, new.topic, new.facts, new.first_session, new.last_session, clock_timestamp()
    from ops.events;
    delete from ops.event_drafts where draft_no = new.draft_no;
    return null;
end $$;

create constraint trigger number_at_commit after insert on ops.event_drafts
    deferrable initially deferred for each row execute function ops.number_event();

create table ops.event_relays (
    relay      text        primary key,
    event_no   bigint      not null,
    relayed_at timestamptz not null default clock_timestamp()
);
comment on table ops.event_relays is
    'The newest event that a relay has announced. What it has passed on is in its stream, which it asks first.';


-- market ------------------------------------------------------------------------------------------

create table market.quotes (
    symbol      text             not null,
    quoted_at   timestamptz      not null,
    bid         double precision check (bid > 0),
    bid_size    double precision check (bid_size >= 0),
    ask         double precision check (ask > 0),
    ask_size    double precision check (ask_size >= 0),
    response_id bigint           references market.vendor_responses,
    source      text             not null,
    known_at    timestamptz      not null default clock_timestamp(),
    primary key (symbol, quoted_at, source),
    check ((bid is null) = (bid_size is null)),
    check ((ask is null) = (ask_size is null))
);
create index quotes_by_known_at on market.quotes (known_at);
call ops.make_append_only('market.quotes');
comment on table market.quotes is
    'Best bid and offer as they were seen, in USD and shares; null on a side where nobody quoted.';
comment on column market.quotes.quoted_at is 'The vendor''s time of the quote, UTC; known_at is when it was asked for.';
