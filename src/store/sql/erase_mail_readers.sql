-- A rider's (?1) mail addresses are known no more, where neither another rider nor another mail has them.
delete from ops.mail_reader
where address in (
        select lower(email_address) from daily.rider where rider_id = ?1
        union
        select lower(email_address) from historical.rider where rider_id = ?1
    )
    and address not in (
        select lower(email_address) from daily.rider where rider_id <> ?1 and email_address is not null
        union
        select lower(email_address) from historical.rider where rider_id <> ?1 and email_address is not null
        union
        select lower(recipient) from ops.outbox
    )
