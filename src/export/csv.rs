//! A ride's two files, in the columns that the older systems had.

use chrono::DateTime;

use super::RideExport;

/// `ride_info.csv`: a line a second. Date and time are UTC; what has no value is empty, and a heart rate without contact is 0,
/// as the bike says it.
#[must_use]
pub fn ride_info(export: &RideExport<'_>) -> Vec<u8> {
    let mut text = "user_id,ride_id,date,time,duration,resistance,heart_rate,rpm,power\r\n".to_owned();
    let user_id = shown(export.ended.rider_id);
    let ride_id = export.ended.ride_id.to_string();
    for reading in export.readings {
        let at = DateTime::from_timestamp_micros(reading.at).unwrap_or_default();
        let heart_rate = if reading.is_dropout {
            Some(0)
        } else {
            reading.heart_rate_bpm
        };
        line(
            &mut text,
            &[
                &user_id,
                &ride_id,
                &at.format("%Y-%m-%d").to_string(),
                &at.format("%H:%M:%S%.6f").to_string(),
                &reading.second.to_string(),
                &shown(reading.resistance),
                &shown(heart_rate),
                &shown(reading.cadence_rpm),
                &shown(reading.power_watts),
            ],
        );
    }
    text.into_bytes()
}

/// `user_info.csv`: one line of the rider, none where nobody is known to have ridden. `max_hr` is the rider's upper
/// heart-rate limit.
#[must_use]
pub fn user_info(export: &RideExport<'_>) -> Vec<u8> {
    let mut text = "user_id,name,gender,address,date_of_birth,email_address,height_cm,weight_kg,account_create_date,\
                    bike_serial,original_source,max_hr\r\n"
        .to_owned();
    if let Some(rider) = export.rider {
        let given = |text: &Option<String>| text.clone().unwrap_or_default();
        line(
            &mut text,
            &[
                &rider.rider_id.to_string(),
                &given(&rider.name),
                rider.gender.name(),
                &given(&rider.address),
                &shown(rider.date_of_birth),
                &given(&rider.email_address),
                &shown(rider.height_cm),
                &shown(rider.weight_kg),
                &shown(rider.account_created_on),
                &export.ended.bike_serial,
                &given(&rider.original_source),
                &shown(export.limit_bpm),
            ],
        );
    }
    text.into_bytes()
}

fn shown(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// One record, after RFC 4180.
fn line(text: &mut String, fields: &[&str]) {
    for (place, field) in fields.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        if field.contains([',', '"', '\r', '\n']) {
            text.push('"');
            text.push_str(&field.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(field);
        }
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_would_end_a_field_is_quoted() {
        let mut text = String::new();
        super::line(&mut text, &["1 High Street, York", "Ann \"A\"", "", "two\nlines", "7"]);
        assert_eq!(text, "\"1 High Street, York\",\"Ann \"\"A\"\"\",,\"two\nlines\",7\r\n");
    }
}
