//! Publishing a thousand changed files to a bucket that is 50 ms away.
//!
//! Yardstick: the bare puts of the same bytes, as many at once, of someone who keeps no old edition, no manifest and no
//! order.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/bucket.rs"]
mod bucket;
#[path = "support/times.rs"]
mod times;
#[path = "support/verdict.rs"]
mod verdict;

use std::time::Duration;

use bucket::{BUCKET, Bucket};
use criterion::{Criterion, SamplingMode};
use deloton::{
    domain::artifact::{Artifact, media_type_of},
    publish::{Item, NewEdition, Publisher, S3Publisher},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use times::Times;
use tokio::runtime::Runtime;
use verdict::verdict;

const LATENCY: Duration = Duration::from_millis(50);
const FILES: usize = 1_000;
/// Files at once, as the publisher has them.
const PARALLEL: usize = 32;
/// The text of a file: as long as those of a day are on average.
const BYTES: usize = 12_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Runtime::new().unwrap();
    let bucket = runtime.block_on(Bucket::start(LATENCY));
    let publisher = Publisher::S3(S3Publisher::new(bucket.client(), BUCKET, "site"));
    let now = NewEdition::unchecked(chrono::DateTime::UNIX_EPOCH);
    let mut version = 0;
    let mut next = || {
        version += 1;
        site(version)
    };
    runtime.block_on(publisher.publish(&next(), &now)).unwrap();
    let (ours, bare) = (Times::default(), Times::default());

    let mut group = criterion.benchmark_group("publish");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_secs(1));
    group.bench_function("deloton", |bencher| {
        ours.take(bencher, &mut next, |items| {
            let status = runtime.block_on(publisher.publish(items, &now)).unwrap();
            assert_eq!(status.written.len(), FILES);
        });
    });
    let client = bucket.client();
    group.bench_function("bare", |bencher| {
        bare.take(
            bencher,
            || site(0),
            |items| {
                let puts = stream::iter(items)
                    .map(Ok)
                    .try_for_each_concurrent(PARALLEL, async |item| {
                        let artifact = item.artifact().unwrap().into_owned();
                        let put = client
                            .put_object()
                            .bucket(BUCKET)
                            .key(format!("bare/{}", artifact.path));
                        put.body(artifact.bytes.into()).send().await.map(drop)
                    });
                runtime.block_on(puts).unwrap();
            },
        );
    });
    group.finish();
    criterion.final_summary();

    if let Some((ours, bare)) = ours.median().zip(bare.median()) {
        verdict(
            &format!(
                "publish: {ours:.1} s for {FILES} changed files, {} ms away",
                LATENCY.as_millis()
            ),
            "15 s",
            &[format!("bare puts: {bare:.1} s, ratio {:.2}", ours / bare)],
        );
    }
}

/// The files of a site, each another one in every version.
fn site(version: u32) -> Vec<Item> {
    let file = |number: usize| {
        let path = format!("daily/{}/file-{}.csv", number / 20, number % 20);
        let line = format!("{version},{number},{}\r\n", number * 7919);
        let text = line.repeat(BYTES / line.len());
        Artifact::text(path.clone(), media_type_of(&path), text).into()
    };
    (0..FILES).map(file).collect()
}
