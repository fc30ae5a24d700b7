insert into ops.publication (target, published_at, run_id, written, unchanged, deleted)
values (?1, ?2::timestamptz, ?3::uuid, ?4, ?5, ?6)
