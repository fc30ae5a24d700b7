create or replace temp table sealed_alert as
with buffered as (
    select cast($1 as date) as business_day, * from daily.alert
    where ride_id in (select ride_id from temp.sealed_ride)
),

kept as (
    select * from historical.alert
    where business_day = cast($1 as date) and ride_id not in (select ride_id from buffered)
)

select * from buffered
union all
select * from kept
order by raised_at, ride_id
