-- Something was put in place in a sealed day: it is sealed again.
insert into ops.changed_day
select cast($1 as date)
where cast($1 as date) not in (select business_day from ops.changed_day)
