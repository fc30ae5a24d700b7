-- How messages were accounted for, by the business day of their lines: that of a line's own stamp, or of the partition's
-- clock where it has none. What was counted before days were told apart has none.
create table ops.line_count (
    source varchar not null, topic varchar not null, partition integer not null, business_day date,
    messages bigint not null, ride_lines bigint not null, telemetry_lines bigint not null,
    user_data_lines bigint not null, system_lines bigint not null, marker_lines bigint not null,
    duplicate_lines bigint not null, tombstoned_lines bigint not null, rejected_lines bigint not null,
    readings bigint not null, duplicate_readings bigint not null
);

insert into ops.line_count
select
    source, topic, partition, null, messages, ride_lines, telemetry_lines, user_data_lines, system_lines, marker_lines,
    duplicate_lines, tombstoned_lines, rejected_lines, readings, duplicate_readings
from ops.stream;

alter table ops.stream drop column messages;
alter table ops.stream drop column ride_lines;
alter table ops.stream drop column telemetry_lines;
alter table ops.stream drop column user_data_lines;
alter table ops.stream drop column system_lines;
alter table ops.stream drop column marker_lines;
alter table ops.stream drop column duplicate_lines;
alter table ops.stream drop column tombstoned_lines;
alter table ops.stream drop column rejected_lines;
alter table ops.stream drop column readings;
alter table ops.stream drop column duplicate_readings;

-- The day that a rejected line was counted for.
alter table daily.rejected_line add column business_day date;
