-- What the first report of a day that was over said: its headlines, a JSON array. Pages of restated days say what moved.
create table ops.first_report (
    business_day date primary key, seal_count integer not null, figures varchar not null
);
