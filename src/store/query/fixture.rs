//! A small store for tests: 3 days, 12 riders, 250 rides, one of them open, one of them with every second; the ledgers
//! have a little of everything.

use tempfile::TempDir;

use crate::{clock::Clock, store::Store};

/// The fixture's present: the afternoon of 22 November 2026.
pub(crate) const NOW: &str = "2026-11-22T15:00:00Z";

/// A store in a folder of its own, which lasts as long as the folder's guard.
pub(crate) fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Clock::Fixed(NOW.parse().unwrap())).unwrap();
    let connection = store.connection().unwrap();
    connection.execute_batch(ROWS).unwrap();
    connection
        .execute_batch(include_str!("../sql/recount_riders.sql"))
        .unwrap();
    drop(connection);
    (folder, store)
}

const ROWS: &str = "
insert into daily.rider
select i, timestamptz '2026-11-20 06:00:00+00', format('Rider{} Number{}', i, i), format('Rider{}', i),
    format('Number{}', i), if(i % 2 = 0, 'female', 'male'), 'personal', 'personal', if(i <= 4, 'New Leeds', 'York'),
    'LS1 1AA', 'LS', date '1980-01-01' + i::integer * 400, format('rider{}@example.org', i), 170, 70,
    date '2020-01-01', 'direct'
from range(1, 13) as rider (i);

insert into daily.ride
select (lpad(to_hex(epoch_ms(timestamptz '2026-11-20 07:00:00+00' + interval (i * 12) minute)), 12, '0')
        || format('7000800000000000{:04x}', i % 7))::uuid,
    if(i = 249, null, date '2026-11-20' + (i // 100)::integer), format('SN{:04d}', i % 7), if(i = 248, null, i % 12 + 1),
    timestamptz '2026-11-20 07:00:00+00' + interval (i * 12) minute,
    if(i = 249, null, timestamptz '2026-11-20 07:10:00+00' + interval (i * 12) minute),
    if(i = 249, null, 'marker'), false, 300 + i // 12, 300 + i // 12, 20.5 + i, 60 + i % 50, 400 + i % 50,
    if(i % 10 = 0, null, 120), if(i % 10 = 0, null, 70), if(i % 10 = 0, null, 160), 5, 60, 95, 40, 70, 0, 0, 0, 0, 30
from range(250) as ride (i);

insert into daily.reading
select ride_id, second, started_at + interval (second) second, 40, if(second % 60 = 0, null, 90 + (second % 60)::integer),
    second % 60 = 0, 60, 55.5, false
from daily.ride, range(1, 301) as reading (second)
where ride_id = '01a20056-8580-7000-8000-000000000004';

insert into historical.ride select * from daily.ride where business_day < '2026-11-22';
delete from daily.ride where business_day < '2026-11-22';
create temp table recounted_rider as select distinct rider_id from historical.ride where rider_id is not null;

insert into ops.stream values ('file', 'deloton', 0, 1000, '2026-11-22 14:59:58+00', '2026-11-22 14:59:59+00',
    null, 0, 0);
insert into ops.line_count values ('file', 'deloton', 0, '2026-11-22', 1000, 498, 498, 1, 1, 1, 0, 0, 1, 498, 0);
insert into daily.rejected_line values ('file', 'deloton', 0, 7, '2026-11-22 10:00:00+00', 'x'::blob, 'no line', 'SN0001', null, '2026-11-22');
insert into ops.sealed_day values ('2026-11-20', '2026-11-21 00:16:00+00', 100, 30000, 1),
    ('2026-11-21', '2026-11-22 00:16:00+00', 100, 30000, 2);
insert into ops.job_run
select format('019a9000-0000-7000-8000-{:012x}', i)::uuid, if(i % 2 = 0, 'compact', 'report'), (date '2026-11-18' + (i // 2)::integer)::varchar,
    1, 'schedule', timestamptz '2026-11-19 00:15:00+00' + interval (i // 2) day, timestamptz '2026-11-19 00:16:00+00' + interval (i // 2) day,
    timestamptz '2026-11-19 00:17:00+00' + interval (i // 2) day, if(i = 5, 'failed', 'succeeded'), '{\"rides\":100}',
    if(i = 5, 'cannot render `report/day.html`', null)
from range(8) as run (i);
insert into ops.outbox values
    ('019a9000-0000-7000-8000-000000000001', 'daily_report', '2026-11-21', 'ceo@deloton.example', 'sent',
     'Deloton, Sat 21 Nov: 100 rides', 'hash',
     'MIME-Version: 1.0\\x0D\\x0AContent-Type: text/html; charset=utf-8\\x0D\\x0A\\x0D\\x0A<h1>100 rides</h1><script>alert(1)</script>'::blob,
     '2026-11-22 00:20:00+00', 1, '2026-11-22 00:20:01+00', '2026-11-22 00:20:02+00', 'accepted'),
    ('019a9000-0000-7000-8000-000000000002', 'daily_report', '2026-11-22', 'ceo@deloton.example', 'waiting',
     'Deloton, Sun 22 Nov: 49 rides', 'hash', 'x'::blob, '2026-11-22 14:00:00+00', 0, null, null, null);
";
