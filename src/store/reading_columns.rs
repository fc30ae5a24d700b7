//! Readings as one Arrow record batch: the fastest way into DuckDB.

use std::{collections::HashMap, sync::Arc};

use duckdb::arrow::{
    array::{
        ArrayRef, BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, Int32Builder, RecordBatch,
        TimestampMicrosecondBuilder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
};

use crate::domain::ride::Reading;

/// The columns of `daily.reading` while they fill.
pub(super) struct ReadingColumns {
    ride_id: FixedSizeBinaryBuilder,
    second: Int32Builder,
    at: TimestampMicrosecondBuilder,
    resistance: Int32Builder,
    heart_rate_bpm: Int32Builder,
    is_dropout: BooleanBuilder,
    cadence_rpm: Int32Builder,
    power_watts: Float64Builder,
    is_flagged: BooleanBuilder,
}

impl Default for ReadingColumns {
    fn default() -> Self {
        ReadingColumns {
            ride_id: FixedSizeBinaryBuilder::new(16),
            second: Int32Builder::new(),
            at: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            resistance: Int32Builder::new(),
            heart_rate_bpm: Int32Builder::new(),
            is_dropout: BooleanBuilder::new(),
            cadence_rpm: Int32Builder::new(),
            power_watts: Float64Builder::new(),
            is_flagged: BooleanBuilder::new(),
        }
    }
}

impl ReadingColumns {
    pub(super) fn push(&mut self, reading: &Reading) {
        self.ride_id
            .append_value(reading.ride_id.as_bytes())
            .expect("a UUID is 16 bytes");
        self.second.append_value(reading.second);
        self.at.append_value(reading.at);
        self.resistance.append_option(reading.resistance);
        self.heart_rate_bpm.append_option(reading.heart_rate_bpm);
        self.is_dropout.append_value(reading.is_dropout);
        self.cadence_rpm.append_option(reading.cadence_rpm);
        self.power_watts.append_option(reading.power_watts);
        self.is_flagged.append_value(reading.is_flagged);
    }

    fn schema() -> SchemaRef {
        let uuid = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
        Arc::new(Schema::new(vec![
            Field::new("ride_id", DataType::FixedSizeBinary(16), false).with_metadata(uuid),
            Field::new("second", DataType::Int32, false),
            Field::new(
                "recorded_at",
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                false,
            ),
            Field::new("resistance", DataType::Int32, true),
            Field::new("heart_rate_bpm", DataType::Int32, true),
            Field::new("is_dropout", DataType::Boolean, false),
            Field::new("cadence_rpm", DataType::Int32, true),
            Field::new("power_watts", DataType::Float64, true),
            Field::new("is_flagged", DataType::Boolean, false),
        ]))
    }

    pub(super) fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.ride_id.finish()),
            Arc::new(self.second.finish()),
            Arc::new(self.at.finish()),
            Arc::new(self.resistance.finish()),
            Arc::new(self.heart_rate_bpm.finish()),
            Arc::new(self.is_dropout.finish()),
            Arc::new(self.cadence_rpm.finish()),
            Arc::new(self.power_watts.finish()),
            Arc::new(self.is_flagged.finish()),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}
