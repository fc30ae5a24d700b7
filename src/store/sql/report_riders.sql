-- How many riders rode from the first day to the last, both included; each counts once.
select count(distinct rider_id)
from historical.leaderboard
where business_day between ? and ?
