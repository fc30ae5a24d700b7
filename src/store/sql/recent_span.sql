-- The rides that began in a span of time, those under way included, with who rode: what `recent_activity.sql` and
-- `recent_rides.sql` select from. Genders, ages and bands are those of `jobs/daily_by_age_and_gender.sql`.
with aged as (
    select
        ride.*,
        rider.name as rider_name,
        coalesce(rider.gender, 'unknown') as gender,
        extract(year from ride.started_at) - extract(year from rider.date_of_birth)
        - case
            when
                extract(month from ride.started_at) * 100 + extract(day from ride.started_at)
                < extract(month from rider.date_of_birth) * 100 + extract(day from rider.date_of_birth)
                then 1
            else 0
        end as years
    from ride
    left join rider on ride.rider_id = rider.rider_id
    where ride.started_at >= $since::timestamptz and ride.started_at <= $until::timestamptz
),

banded as (
    select
        *,
        if(years >= 0, years, null)::integer as age,
        case
            when years is null or years < 0 then 'unknown'
            when years < 18 then 'under 18'
            when years < 25 then '18–24'
            when years < 35 then '25–34'
            when years < 45 then '35–44'
            when years < 55 then '45–54'
            when years < 65 then '55–64'
            else '65+'
        end as age_band
    from aged
),

recent as (
    select * from banded
    where ($gender::varchar is null or gender = $gender::varchar)
        and ($age_band::varchar is null or age_band = $age_band::varchar)
)

