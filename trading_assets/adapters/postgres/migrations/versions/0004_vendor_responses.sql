-- What vendors answered, byte for byte, and what became of it.

create table ops.rate_limits (
    bucket      text             primary key,
    tokens      double precision not null,
    refilled_at timestamptz      not null default clock_timestamp()
);
comment on table ops.rate_limits is
    'One token bucket a vendor key, shared by all processes. Below zero: requests already promised for later.';

create table market.vendor_responses (
    response_id  bigint      generated always as identity primary key,
    fetch_id     uuid        not null,
    vendor       text        not null,
    dataset      text        not null,
    question     jsonb       not null,
    method       text        not null,
    url          text        not null,
    status       smallint    not null,
    headers      jsonb       not null default '{}',
    requested_at timestamptz not null,
    received_at  timestamptz not null,
    body_bytes   integer     not null check (body_bytes >= 0),
    body_sha256  bytea       not null check (length(body_sha256) = 32),
    body_gzip    bytea       not null
);
-- The body is compressed already: a second compression costs time and saves nothing.
alter table market.vendor_responses alter column body_gzip set storage external;
create index vendor_responses_by_fetch on market.vendor_responses (fetch_id);
create index vendor_responses_by_time on market.vendor_responses (vendor, dataset, received_at);
call ops.make_append_only('market.vendor_responses');
comment on table market.vendor_responses is
    'Every answer of a vendor, errors included, stored before anything was read from it. Reading them again gives the same tables.';
comment on column market.vendor_responses.fetch_id is 'The same for all answers to one question, such as the pages of one history.';
comment on column market.vendor_responses.dataset is 'How to read the body: bars/1h, bars/1d, corporate_actions, instruments ...';
comment on column market.vendor_responses.url is 'Without keys and other secrets.';
comment on column market.vendor_responses.body_sha256 is 'Of the body before compression.';

create table market.quarantined_rows (
    response_id    bigint      not null references market.vendor_responses,
    section        text        not null,
    position       integer     not null check (position >= 0),
    reason         text        not null,
    row_json       text        not null,
    quarantined_at timestamptz not null default clock_timestamp(),
    primary key (response_id, section, position)
);
call ops.make_append_only('market.quarantined_rows');
comment on table market.quarantined_rows is
    'Rows of an answer that no table took. Of every list in an answer: rows in = rows used + rows here.';
comment on column market.quarantined_rows.section is 'Which list of the answer, for example a symbol or cash_dividends.';
comment on column market.quarantined_rows.position is 'Place in that list, from 0.';

alter table market.bars add column response_id bigint references market.vendor_responses;
comment on column market.bars.response_id is
    'The vendor response with the newest row this bar was made of; its fetch_id leads to the others. Null for bundled data.';
alter table market.corporate_actions add column response_id bigint references market.vendor_responses;
