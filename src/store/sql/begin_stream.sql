-- A partition of which nothing was read yet.
insert into ops.stream values ($1, $2, $3, $4, null, $6, $5, 0, 0)
