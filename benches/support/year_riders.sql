-- A million riders, as headers described them before the year began.
insert into historical.rider by name
select
    number as rider_id,
    timestamptz '2024-12-31 12:00:00Z' as valid_from,
    null::timestamptz as valid_to,
    'Rider ' || number as name,
    'Rider' as forename,
    number::varchar as surname,
    case hash(number, 1) % 50 when 0 then 'other' when 1 then '' else ['female', 'male'][1 + number % 2] end as gender,
    number % 200 || ' High Street, Town ' || hash(number, 1, 1) % 500 as address,
    'High Street' as street,
    'Town ' || hash(number, 1, 1) % 500 as town,
    'AB1 2CD' as postcode,
    'AB' as postcode_area,
    date '1945-01-01' + (hash(number, 1, 2) % 22000)::integer as date_of_birth,
    'rider' || number || '@example.com' as email_address,
    150 + (hash(number, 1, 3) % 50)::integer as height_cm,
    50 + (hash(number, 1, 4) % 60)::integer as weight_kg,
    date '2022-01-01' + (hash(number, 1, 5) % 1000)::integer as account_created_on,
    'direct' as original_source
from range(1, $riders + 1) as made (number)
