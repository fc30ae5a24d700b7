-- Alerts of a day's rides, from the buffer and from an earlier sealing.
create or replace temp table sealed_alert as
with buffered as (
    select cast($1 as date) as business_day, * from daily.alert
),

kept as (
    select * from historical.alert where business_day = cast($1 as date)
),

known as (
    select * from buffered
    union
    select * from kept
)

select * from known
where ride_id in (select ride_id from temp.sealed_ride)
order by raised_at, ride_id
