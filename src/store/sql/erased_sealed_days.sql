-- The sealed days that erased rides were in.
select distinct cast(business_day as varchar) from temp.erased_ride
semi join ops.sealed_day using (business_day)
order by 1
