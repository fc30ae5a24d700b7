-- The API's keys. Of a key itself only its SHA-256 is kept.
create table ops.api_key (
    key_id varchar not null, name varchar, role varchar not null, hash blob not null, created_at timestamptz not null,
    expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz
);
-- What riders' pseudonyms are made with; one row, drawn when it is first needed.
create table ops.pseudonym_secret (secret blob not null);
