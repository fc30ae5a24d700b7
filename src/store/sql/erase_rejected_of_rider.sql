-- The text of rejected lines in which a rider (?1) is named: by number, name, address or mail address, as any header had it.
-- ?2 is the reason from now on. A blob in text has bytes other than plain letters, quotes among them, as \xNN.
with described as (
    select name, address, email_address from daily.rider where rider_id = ?1
    union
    select name, address, email_address from historical.rider where rider_id = ?1
),

words as (
    select distinct cast(encode(word) as varchar) as word
    from (select unnest([name, address, email_address]) as word from described)
    where length(word) > 4
)

update daily.rejected_line
set raw = ''::blob, reason = ?2
where octet_length(raw) > 0
    and (
        regexp_matches(cast(raw as varchar), 'user_id(\\x5C|\\x22|[^0-9A-Za-z]){1,16}' || ?1::bigint || '([^0-9]|$)')
        or exists (select 1 from words where contains(cast(raw as varchar), words.word))
    )
