-- The lowest of any second. Rides that were stored before have none.
alter table daily.ride add column power_watts_min double;
alter table daily.ride add column cadence_rpm_min integer;
alter table daily.ride add column resistance_min integer;
alter table historical.ride add column power_watts_min double;
alter table historical.ride add column cadence_rpm_min integer;
alter table historical.ride add column resistance_min integer;
