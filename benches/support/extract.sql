-- The yardstick: the same lines by the database's own means, every value in a column, no rides made.
create or replace table extracted as
with line as (
    select json ->> '$.key' as bike, json ->> '$.log' as log from read_ndjson_objects('lines.jsonl')
),

field as (
    select
        bike,
        regexp_extract(
            log,
            '^([0-9-]+ [0-9:.]+) [a-z]+ v[0-9]+: \[INFO\]: (?:Ride - duration = ([0-9.]+); resistance = ([0-9]+)|Telemetry - hrt = ([0-9]+); rpm = ([0-9]+); power = ([0-9.e-]+))',
            ['at', 'second', 'resistance', 'heart_rate_bpm', 'cadence_rpm', 'power_watts']
        ) as value
    from line
)

select
    bike,
    try_cast(value.at as timestamp) as at,
    try_cast(value.second as double) as second,
    try_cast(value.resistance as integer) as resistance,
    try_cast(value.heart_rate_bpm as integer) as heart_rate_bpm,
    try_cast(value.cadence_rpm as integer) as cadence_rpm,
    try_cast(value.power_watts as double) as power_watts
from field
