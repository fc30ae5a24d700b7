-- What brings the rides under way of a partition back, where an erased ride may be among them.
update ops.checkpoint as checkpoint
set state = ''::blob
from ops.ride_source as told
where told.ride_id in (select ride_id from temp.erased_ride)
    and told.source = checkpoint.source and told.topic = checkpoint.topic and told.partition = checkpoint.partition
