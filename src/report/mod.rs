//! From one [`DailyReport`](crate::domain::report::DailyReport) to what people look at: charts, the page, the PDF, the
//! site. Renderers are pure: the same report gives the same bytes, and nothing here reads a clock or a database.

pub mod chart;
pub mod font;
pub mod html;
pub mod model;
pub mod pdf;
pub mod quality;
#[cfg(test)]
mod sample;
pub mod site;
pub mod table;
