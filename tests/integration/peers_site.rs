//! The site on S3 servers that nobody here wrote: one that speaks the whole protocol, one that serves websites.
//! `make test-peers` starts them and says where they are; without that these tests say why they are skipped.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::{
    Client,
    types::{BucketLocationConstraint, CreateBucketConfiguration},
};
use tokio::runtime::Runtime;

use crate::{
    program::{DAYS, Said, Sandbox, files_below, skipped},
    publish::{client_of, unzipped},
};

/// Where the server is that `variable` names; nothing where it was not started.
fn server(variable: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "what `make test-peers` says")]
    let url = std::env::var(variable).ok();
    if url.is_none() {
        skipped(&format!(
            "no S3 server was started ({variable} is not set); `make test-peers` starts one"
        ));
    }
    url
}

/// Runs the program with its site in a bucket of the server at `url`.
fn run(sandbox: &Sandbox, url: &str, key: &str, site: &str, arguments: &[&str]) -> Said {
    let mut command = sandbox.command(arguments);
    command.args(["--site", site, "--aws-endpoint-url", url]).envs([
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", key),
        ("AWS_REGION", "us-east-1"),
    ]);
    let output = command.output().unwrap();
    Said {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What a folder has that the same was published to.
fn in_folder(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    sandbox.succeed(&["run", "publish", "--day", DAYS[0], "--site", "elsewhere"]);
    let files = files_below(&sandbox.path("elsewhere")).into_iter();
    files.filter(|(path, _)| !path.starts_with('_')).collect()
}

/// What the bucket has below `site/`, read as a browser reads it.
async fn in_bucket(client: &Client, bucket: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let list = client.list_objects_v2().bucket(bucket).send().await.unwrap();
    for object in list.contents() {
        let key = object.key().unwrap();
        let path = key.strip_prefix("site/").unwrap();
        if !path.starts_with('_') {
            let object = client.get_object().bucket(bucket).key(key).send().await.unwrap();
            let is_compressed = object.content_encoding() == Some("gzip");
            let bytes = object.body.collect().await.unwrap().to_vec();
            found.insert(path.to_owned(), if is_compressed { unzipped(bytes) } else { bytes });
        }
    }
    found
}

#[test]
fn a_bucket_holds_what_a_folder_does_and_goes_back_to_an_edition() {
    let Some(url) = server("DELOTON_TEST_AWS") else { return };
    let runtime = Runtime::new().unwrap();
    let client = client_of(&url, "key", "key");
    let bucket = format!("reports-{}", std::process::id());
    let site = format!("s3://{bucket}/site");
    let sandbox = Sandbox::with_sample();
    let publish = |day: &str| run(&sandbox, &url, "key", &site, &["run", "publish", "--day", day]);

    let said = publish(DAYS[0]);
    assert!(
        said.err.contains("does not exist; create it, or correct `--site`"),
        "{said:?}"
    );
    let place = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::EuWest2)
        .build();
    let create = client
        .create_bucket()
        .bucket(&bucket)
        .create_bucket_configuration(place);
    runtime.block_on(create.send()).unwrap();
    assert!(publish(DAYS[0]).status.success());
    let first = runtime.block_on(in_bucket(&client, &bucket));
    assert!(first == in_folder(&sandbox), "{:?}", first.keys());

    assert!(publish(DAYS[1]).status.success());
    let second = runtime.block_on(in_bucket(&client, &bucket));
    assert!(second == in_folder(&sandbox), "{:?}", second.keys());
    let again = publish(DAYS[1]);
    assert!(again.out.contains("0 files written"), "{again:?}");

    let said = run(&sandbox, &url, "key", &site, &["site", "rollback", "1"]);
    assert!(said.out.contains("edition 3 is what edition 1 was"), "{said:?}");
    assert!(runtime.block_on(in_bucket(&client, &bucket)) == first);
    let said = run(&sandbox, &url, "key", &site, &["site"]);
    assert_eq!(said.out.lines().count(), 4, "{said:?}");
}

#[test]
fn a_website_in_a_bucket_is_the_site_with_every_link_of_it() {
    let Some(url) = server("DELOTON_TEST_S3_WEBSITE") else {
        return;
    };
    let sandbox = Sandbox::with_sample();
    let said = run(
        &sandbox,
        &url,
        "S3RVER",
        "s3://site",
        &["run", "publish", "--day", DAYS[0]],
    );
    assert!(said.status.success(), "{said:?}");

    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let get = |path: &str| {
        let request = agent
            .get(format!("{url}/{path}"))
            .header("host", "site.s3-website-us-east-1.amazonaws.com");
        let mut answer = request.call().unwrap();
        let media_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let bytes = unzipped(answer.body_mut().read_to_vec().unwrap());
        (answer.status().as_u16(), media_type, bytes)
    };
    let expected = in_folder(&sandbox);
    for (path, bytes) in &expected {
        let (status, media_type, found) = get(path);
        assert_eq!(status, 200, "{path}");
        assert!(found == *bytes, "{path}");
        assert_eq!(media_type, deloton::domain::artifact::media_type_of(path), "{path}");
    }
    let (_, _, start) = get("");
    assert!(
        start == expected["index.html"],
        "the website's own address opens the index"
    );
}
