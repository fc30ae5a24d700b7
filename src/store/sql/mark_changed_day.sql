-- A sealed day holds something else now: it is sealed again, and what comes after it is made again.
insert into ops.changed_day
select cast($1 as date)
where cast($1 as date) not in (select business_day from ops.changed_day)
