-- Whether the rides of a day are others than history has, or say something else. Columns that history got after it had
-- rides do not count: what they are filled with is no news of a ride whose readings are the same.
with
sealed as (
    select * exclude (power_watts_min, cadence_rpm_min, resistance_min)
    from temp.sealed_ride
),
kept as (
    select * exclude (power_watts_min, cadence_rpm_min, resistance_min)
    from historical.ride
    where business_day = cast($1 as date)
)
select exists (from (from sealed except from kept)) or exists (from (from kept except from sealed))
