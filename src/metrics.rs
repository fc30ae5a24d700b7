//! TEMP
use std::time::Duration;
#[derive(Clone, Debug)] pub struct Metrics;
impl Metrics { pub fn new()->Self{Metrics} pub fn job_ended(&self,_:&str,_:&str,_:Duration){} pub fn flushed(&self,_:i64,_:usize,_:usize,_:Duration){} pub fn stands(&self,_:Option<i64>,_:usize,_:Option<chrono::TimeDelta>){} pub fn render(&self)->String{String::new()} }
