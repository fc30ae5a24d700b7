-- The text of rejected lines in which a rider (?1) is named: by number, as `Tombstones::are_named_in` finds it, and by name,
-- address or mail address as any header had it, in any case, if these are long enough to be nobody else's. ?2 is added to the reason. A
-- blob in text has quotes, backslashes and whatever is no plain letter as \xNN; for those there may be an escape of JSON, \u00eb,
-- in the line.
with described as (
    select name, address, email_address from daily.rider where rider_id = ?1
    union
    select name, address, email_address from historical.rider where rider_id = ?1
),

words as (
    select cast(encode(name) as varchar) as word from described where name like '% %'
    union
    select cast(encode(address) as varchar) from described where regexp_matches(address, '[0-9]')
    union
    select cast(encode(email_address) as varchar) from described where email_address like '%_@_%'
)

update daily.rejected_line
set raw = ''::blob, reason = reason || ?2
where octet_length(raw) > 0
    and (
        regexp_matches(
            cast(raw as varchar), 'user_id(\\x5C|\\x22|\\x27|[ :=]){1,16}' || ?1::bigint || '([^0-9]|$)'
        )
        or exists (
            select 1 from words
            where case
                when words.word like '%\x%'
                    then regexp_matches(
                        lower(cast(raw as varchar)),
                        regexp_replace(
                            lower(regexp_escape(words.word)),
                            '(\\\\x[0-9a-f]{2})+',
                            '(\\\\x[0-9a-f]{2}|u[0-9a-f]{4})+',
                            'g'
                        )
                    )
                else contains(lower(cast(raw as varchar)), lower(words.word))
            end
        )
    )
