-- Riders' history of changes: the versions kept so far and what the buffer's headers say, in order of time; a version
-- that says nothing new is dropped, and each one holds until the next.
create or replace temp table folded_rider as
with described as (
    select * from daily.rider
    union all by name
    select * exclude (valid_from, valid_to), valid_from as seen_at
    from historical.rider
    where rider_id in (select rider_id from daily.rider)
),

compared as (
    select
        described.*,
        md5(cast(struct_pack(
            name, gender, address, date_of_birth, email_address, height_cm, weight_kg, account_created_on,
            original_source
        ) as varchar)) as fingerprint
    from described
),

changed as (
    select *, lag(fingerprint) over (partition by rider_id order by seen_at) as fingerprint_before from compared
),

versions as (
    select * exclude (fingerprint, fingerprint_before) from changed
    where fingerprint_before is null or fingerprint <> fingerprint_before
)

select
    lead(seen_at) over (partition by rider_id order by seen_at) as valid_to,
    versions.* rename (seen_at as valid_from)
from versions;

delete from historical.rider where rider_id in (select rider_id from temp.folded_rider);

insert into historical.rider by name select * from temp.folded_rider order by rider_id, valid_from;
