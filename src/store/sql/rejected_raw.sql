select topic, raw, reason from daily.rejected_line where partition = $1 and "offset" = $2 order by received_at
