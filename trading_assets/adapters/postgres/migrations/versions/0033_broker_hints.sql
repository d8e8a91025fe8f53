-- What the stream of a broker hinted at. No fact is here: with both tables empty, asking the broker gives the same ledger.

create table execution.broker_hints (
    hint_no         bigint      primary key generated always as identity,
    account_id      text        not null,
    at              timestamptz not null,
    kind            text        not null check (kind in ('stream_opened', 'order_update')),
    broker_order_id text,
    client_order_id text,
    event           text,
    heard_at        timestamptz not null default clock_timestamp(),
    check ((kind = 'order_update') = (broker_order_id is not null and event is not null))
);
create index broker_hints_by_account on execution.broker_hints (account_id, heard_at desc);
comment on table execution.broker_hints is
    'Something happened to an order, or may have while nobody listened. May be missing, doubled, late; kept for 7 days.';
comment on column execution.broker_hints.account_id is 'Need not be opened yet.';
comment on column execution.broker_hints.at is 'By the clock of the graph, which a rehearsal sets.';
comment on column execution.broker_hints.event is 'The broker''s word for what happened.';
comment on column execution.broker_hints.heard_at is 'By the clock of the database, which never stands still: tells a new hint from an old one.';

create table execution.stream_health (
    account_id text        primary key,
    opened_at  timestamptz not null,
    seen_at    timestamptz not null,
    heard_at   timestamptz not null default clock_timestamp()
);
comment on table execution.stream_health is 'When the stream of each account last gave a sign of life.';
comment on column execution.stream_health.seen_at is 'By the clock of the graph, which a rehearsal sets.';
comment on column execution.stream_health.heard_at is 'By the clock of the database.';
