-- What the report of a day said that was mailed last: its headlines, a JSON array. Word of a restatement is measured from it.
create table ops.mailed_report (business_day date primary key, figures varchar not null);
insert into ops.mailed_report
select business_day, figures
from ops.first_report
where business_day::varchar in (select topic from ops.outbox where kind = 'daily_report');
