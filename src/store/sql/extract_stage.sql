-- What the rows of an extract's days are joined with: riders as they were described, and bikes. `extracting.day` has the days;
-- the buffer's unsealed rides are always among them.
create or replace table extracting.rider as
select
    rider_id,
    extracting.pseudonym('rider', rider_id) as rider,
    valid_from,
    valid_to,
    coalesce(nullif(gender, ''), 'unknown') as gender,
    town as city,
    postcode_area,
    lower(trim(original_source)) as source,
    date_of_birth
    /* personal: , name, email_address, address, postcode, height_cm, weight_kg */
from ops.rider_description
where rider_id in (select distinct rider_id from extracting.wanted_rides());

create or replace table extracting.bike as
select bike_serial, extracting.pseudonym('bike', bike_serial) as bike
from (select distinct bike_serial from extracting.wanted_rides())
