//! Days of rides put straight into the buffer, as ingest would leave them.

use chrono::NaiveDate;
use deloton::store::Store;

/// Fills the buffer with `rides` rides of `seconds` readings each, all within `day` (UTC), in the order they are
/// ridden in: rides of one moment lie interleaved.
pub(crate) fn fill(store: &Store, day: NaiveDate, rides: u32, seconds: u32) {
    let sql = format!(
        "begin;
        create or replace temp table made as
        select
            number,
            timestamptz '{day} 00:10:00Z'
                + to_microseconds(cast(number * (80000.0 - {seconds}) / {rides} * 1e6 as bigint)) as started_at,
            ((lpad(to_hex(epoch_ms(started_at)), 12, '0') || '7' || substr(md5(number::varchar), 1, 3) || '8'
                || substr(md5(number::varchar), 4, 15))::uuid) as ride_id
        from range({rides}) as made(number);

        insert into daily.reading
        select
            ride_id, second, started_at + to_seconds(second) as recorded_at, 30 + second // 60 % 40,
            nullif(60 + (second + number) % 90, 60), (second + number) % 90 = 0, 50 + second % 40,
            (hash(number * 100000 + second) % 250000) / 997.0 + second % 7, false
        from made, (select cast(unnest(range(1, {seconds} + 1)) as integer) as second)
        order by recorded_at;

        insert into daily.ride
        select
            ride_id, '{day}', 'SN' || number % 500, number % 2000, started_at, max(recorded_at), 'marker', false,
            max(second), count(*), sum(power_watts) / 1000, avg(power_watts), max(power_watts),
            avg(heart_rate_bpm), min(heart_rate_bpm), max(heart_rate_bpm), count_if(is_dropout),
            avg(cadence_rpm), max(cadence_rpm), avg(resistance), max(resistance), 0, 0, min(power_watts),
            min(cadence_rpm), min(resistance)
        from daily.reading inner join made using (ride_id)
        group by ride_id, number, started_at;

        insert into daily.rider
        select
            number % 2000, min(started_at), 'Rider ' || number % 2000, 'Rider', number % 2000,
            case number % 2 when 0 then 'female' else 'male' end, null, null, 'Town ' || number % 30, null, null,
            make_date(1950 + cast(number % 50 as integer), 6, 1), null, 170, 70, '2022-03-23', 'direct'
        from made
        group by number % 2000, number % 2, number % 30, number % 50;
        commit;"
    );
    store
        .connection()
        .and_then(|connection| {
            deloton::store::Doing::doing(connection.execute_batch(&sql), || "cannot fill the day".to_owned())
        })
        .unwrap_or_else(|error| panic!("{:#}", anyhow::Error::from(error)));
}
