-- A rider as the newest header described them.
select
    name, gender, address, cast(date_of_birth as varchar), email_address, height_cm, weight_kg,
    cast(account_created_on as varchar), original_source
from main.rider
where rider_id = ?
