-- What a replay has to know of a rejected line: whose it is, and when it was written, where Kafka said so.
alter table daily.rejected_line add column bike_serial varchar;
alter table daily.rejected_line add column written_at timestamptz;

-- Sealed days of which something was put in place since: they are sealed again.
create table ops.changed_day (business_day date not null);
