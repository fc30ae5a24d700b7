-- What the rows of an extract's days are joined with: riders as one header after the other described them, the first
-- description holding for what was before it too, and bikes. `extracting.day` has the days; the buffer's unsealed rides are
-- always among them.
create or replace table extracting.rider as
with described as (
    select * exclude (valid_from, valid_to), valid_from as seen_at from historical.rider
    union all by name
    select * from daily.rider
)

select
    rider_id,
    extracting.pseudonym('rider', rider_id) as rider,
    if(lag(seen_at) over of_rider is null, '-infinity', seen_at) as valid_from,
    coalesce(lead(seen_at) over of_rider, 'infinity') as valid_to,
    coalesce(nullif(gender, ''), 'unknown') as gender,
    town as city,
    postcode_area,
    lower(trim(original_source)) as source,
    date_of_birth
    /* personal: , name, email_address, address, postcode, height_cm, weight_kg */
from described
where rider_id in (select distinct rider_id from extracting.wanted_rides())
window of_rider as (partition by rider_id order by seen_at);

create or replace table extracting.bike as
select bike_serial, extracting.pseudonym('bike', bike_serial) as bike
from (select distinct bike_serial from extracting.wanted_rides())
