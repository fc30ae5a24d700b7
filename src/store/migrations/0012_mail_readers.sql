-- Who is mailed, by address in lower case: the word in their own unsubscribe links, and since when they want no notices.
create table ops.mail_reader (
    address varchar primary key, token varchar not null unique, unsubscribed_at timestamptz
);
