-- Room for what an extract works with, and what its SELECTs share.
detach database if exists extracting;
attach ':memory:' as extracting;

create table extracting.day (business_day date);

-- The rides of the days that are to be written, and those of the buffer.
create macro extracting.wanted_rides() as table
select rider_id, bike_serial from historical.ride
where business_day in (select business_day from extracting.day)
union all
select rider_id, bike_serial from ops.unsealed_ride
where business_day is not null;

-- Somebody's age on a day, by the calendar.
create macro extracting.age_years(date_of_birth, on_day) as (
    year(on_day) - year(date_of_birth)
    - (month(on_day) * 100 + day(on_day) < month(date_of_birth) * 100 + day(date_of_birth))::integer
)::integer;

-- The bands that the extracts have; `domain::rider::BROAD_AGE_BANDS` has their order.
create macro extracting.age_band(age_years) as
case
    when age_years is null or age_years < 0 then 'unknown'
    when age_years < 18 then '< 18'
    when age_years < 25 then '18–24'
    when age_years < 35 then '25–34'
    when age_years < 45 then '35–44'
    when age_years < 55 then '45–54'
    else '55+'
end;

-- What a ride, rider, bike, workout or name is called, the same wherever it is. The key, a letter for the kind and a ride's id are
-- 55 bytes, which is all that SHA-256 takes in at once.
create macro extracting.pseudonym(kind, id) as left(
    sha256(
        getvariable('extract_key')
        || case kind when 'ride' then 'e' when 'rider' then 'r' when 'bike' then 'b' when 'workout' then 'w' when 'name' then 'n' end
        || id
    ),
    20
);
