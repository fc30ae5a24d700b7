-- The text of rejected lines that the bikes of erased rides wrote meanwhile; of lines of which nobody knows when they were
-- written, all of that day. ?1 is added to the reason.
update daily.rejected_line as line
set raw = ''::blob, reason = line.reason || ?1
from temp.erased_ride as ride
where line.bike_serial = ride.bike_serial
    and octet_length(line.raw) > 0
    and case
        when line.written_at is null
            then line.business_day = coalesce(ride.business_day, cast(ride.started_at as date))
        else line.written_at between ride.started_at - interval 1 minute
            and coalesce(ride.ended_at, 'infinity'::timestamptz) + interval 1 minute
    end
