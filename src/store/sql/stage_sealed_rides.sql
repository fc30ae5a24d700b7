-- The rides of a day: those in the buffer that are over, and of an earlier sealing those that the buffer does not hold.
create or replace temp table sealed_ride as
with buffered as (
    select * from daily.ride where business_day = cast($1 as date) and ended_at is not null
),

kept as (
    select * from historical.ride
    where business_day = cast($1 as date) and ride_id not in (select ride_id from buffered)
)

select * from buffered
union all
select * from kept
