//! Publishing into a folder, killed at any step, and going back.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::{
    engine::{KEPT_EDITIONS, Target, Version, publish},
    manifest::Manifest,
    *,
};

/// A folder whose publisher is killed after so many writes: from then on nothing it does has any effect.
struct Killed {
    folder: DirectoryPublisher,
    writes_left: AtomicUsize,
}

impl Killed {
    fn after(writes: usize, root: &Path) -> Killed {
        fs::create_dir_all(root).unwrap();
        Killed {
            folder: DirectoryPublisher::new(root.to_owned()),
            writes_left: writes.into(),
        }
    }

    fn step(&self) -> Result<()> {
        let left = self
            .writes_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| PublishError::Busy {
            target: "killed".to_owned(),
        })
    }
}

impl Target for Killed {
    fn name(&self) -> String {
        self.folder.name()
    }

    fn lease(&self) -> Duration {
        self.folder.lease()
    }

    async fn read_manifest(&self) -> Result<(Manifest, Version)> {
        self.folder.read_manifest().await
    }

    async fn write_manifest(&self, manifest: &Manifest, version: &Version) -> Result<Version> {
        self.step()?;
        self.folder.write_manifest(manifest, version).await
    }

    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.folder.read(path).await
    }

    async fn put(&self, artifact: &Artifact) -> Result<()> {
        self.step()?;
        self.folder.put(artifact).await
    }

    async fn keep(&self, path: &str, hash: &str, is_certain: bool) -> Result<()> {
        self.step()?;
        self.folder.keep(path, hash, is_certain).await
    }

    async fn is_kept(&self, hash: &str) -> Result<bool> {
        self.folder.is_kept(hash).await
    }

    async fn put_back(&self, hash: &str, path: &str) -> Result<()> {
        self.step()?;
        self.folder.put_back(hash, path).await
    }

    async fn delete(&self, path: &str) -> Result<()> {
        self.step()?;
        self.folder.delete(path).await
    }
}

const PATHS: [&str; 5] = [
    "index.html",
    "sitemap.xml",
    "2026-11-21/index.html",
    "2026-11-21/rides.csv",
    "2026-11-21/a.pdf",
];

fn item(path: &str, text: impl Into<String>) -> Item {
    Artifact::text(path, "text/plain", text).into()
}

fn site(version: u32) -> Vec<Item> {
    PATHS.map(|path| item(path, format!("{path} {version}"))).to_vec()
}

fn now() -> NewEdition<'static> {
    NewEdition::unchecked("2026-11-22T01:00:00Z".parse().unwrap())
}

async fn put(root: &Path, items: &[Item]) -> Result<PublishStatus> {
    Publisher::directory(root).publish(items, &now()).await
}

async fn go_back(root: &Path, edition: u64) -> Result<PublishStatus> {
    Publisher::directory(root).roll_back(edition, now().at).await
}

fn files(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn pages(root: &Path) -> BTreeMap<String, String> {
    let mut found = files(root);
    found.retain(|path, _| !path.starts_with('_'));
    found
}

fn texts(items: &[Item]) -> BTreeMap<String, String> {
    let text = |item: &Item| String::from_utf8(item.artifact().unwrap().bytes.clone()).unwrap();
    items.iter().map(|item| (item.path().to_owned(), text(item))).collect()
}

#[tokio::test]
async fn killed_anywhere_a_folder_has_no_link_to_nothing_and_the_next_call_completes_it() {
    for writes in 0..9 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("site");
        let result = publish(&Killed::after(writes, &root), &site(1), &now()).await;
        assert_eq!(result.is_ok(), writes == 8, "two manifests, five files and a record");
        let found = pages(&root);
        let has = |path: &str| found.contains_key(path);
        assert!(!has("index.html") || has("sitemap.xml"));
        assert!(!has("sitemap.xml") || has("2026-11-21/index.html"));
        assert!(!has("2026-11-21/index.html") || (has("2026-11-21/rides.csv") && has("2026-11-21/a.pdf")));

        put(&root, &site(1)).await.unwrap();
        assert_eq!(pages(&root), texts(&site(1)), "after {writes} writes");
    }
}

#[tokio::test]
async fn killed_anywhere_the_edition_before_can_still_be_put_back() {
    // The second edition changes three files, deletes one and brings one.
    let mut second = site(2);
    second[3] = item("2026-11-21/rides.csv", "2026-11-21/rides.csv 1");
    second[4] = item("2026-11-21/b.pdf", "new");
    for writes in 0..15 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(root, &site(1)).await.unwrap();
        let result = publish(&Killed::after(writes, root), &second, &now()).await;
        // Two manifests, a record, four files with one kept each but for the new one, and one kept and deleted.
        assert_eq!(result.is_ok(), writes >= 12, "{writes} writes");

        let status = put(root, &second).await.unwrap();
        assert_eq!(pages(root), texts(&second), "after {writes} writes");
        assert_eq!(status.edition.is_some(), writes < 12);
        let status = go_back(root, 1).await.unwrap();
        assert_eq!(pages(root), texts(&site(1)), "after {writes} writes");
        assert_eq!(status.edition, Some(3));
        go_back(root, 2).await.unwrap();
        assert_eq!(pages(root), texts(&second), "after {writes} writes");
    }
}

#[tokio::test]
async fn an_edition_that_failed_midway_can_be_taken_back_without_completing_it() {
    for writes in 1..12 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(root, &site(1)).await.unwrap();
        publish(&Killed::after(writes, root), &site(2), &now())
            .await
            .unwrap_err();
        assert!(Publisher::directory(root).editions().await.unwrap().is_unfinished);
        go_back(root, 1).await.unwrap();
        assert_eq!(pages(root), texts(&site(1)), "after {writes} writes");
    }
}

#[tokio::test]
async fn killed_anywhere_while_it_goes_back_it_goes_back_the_next_time() {
    for writes in 0..15 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(root, &site(1)).await.unwrap();
        put(root, &site(2)).await.unwrap();
        let killed = Killed::after(writes, root);
        let result = editions::roll_back(&killed, 1, &now()).await;
        assert_eq!(
            result.is_ok(),
            writes >= 13,
            "two manifests, a record, five kept and put back"
        );
        let again = go_back(root, 1).await.unwrap();
        assert_eq!(again.edition.is_some(), writes < 13);
        assert_eq!(pages(root), texts(&site(1)), "after {writes} writes");
    }
}

#[tokio::test]
async fn content_that_goes_back_after_a_crash_is_written_again_and_is_no_edition() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &site(1)).await.unwrap();
    publish(&Killed::after(6, folder.path()), &site(2), &now())
        .await
        .unwrap_err();
    assert_ne!(pages(folder.path()), texts(&site(1)));
    let status = put(folder.path(), &site(1)).await.unwrap();
    assert_eq!((status.edition, status.written.is_empty()), (None, false));
    assert_eq!(pages(folder.path()), texts(&site(1)));
}

#[tokio::test]
async fn a_folder_is_published_by_one_at_a_time_and_untouched_when_nothing_changed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(root, &site(1)).await.unwrap();
    let stamps = || {
        let stamp = |path: &String| fs::metadata(root.join(path)).unwrap().modified().unwrap();
        files(root)
            .keys()
            .filter(|path| *path != "_lock")
            .map(|path| (path.clone(), stamp(path)))
            .collect::<Vec<_>>()
    };
    let before = stamps();
    let status = put(root, &site(1)).await.unwrap();
    assert_eq!((status.written.len(), status.unchanged, status.edition), (0, 5, None));
    assert_eq!(stamps(), before);

    let held = fs::File::open(root.join("_lock")).unwrap();
    held.lock().unwrap();
    for error in [put(root, &site(2)).await, go_back(root, 1).await] {
        assert!(matches!(error, Err(PublishError::Busy { .. })), "{error:?}");
    }
    assert_eq!(pages(root), texts(&site(1)));
}

#[tokio::test]
async fn what_is_not_asked_for_any_more_is_deleted_and_what_others_put_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut first = site(1);
    first.push(item("static/site-3f9a01bc.css", "css"));
    put(root, &first).await.unwrap();
    fs::write(root.join("foreign.txt"), "not ours").unwrap();

    let left = &site(1)[..2];
    let planned = Publisher::directory(root).plan(left).await.unwrap();
    let gone = ["2026-11-21/a.pdf", "2026-11-21/index.html", "2026-11-21/rides.csv"];
    assert_eq!(planned.deleted, gone);
    assert_eq!(pages(root).len(), 7, "a plan deletes nothing");
    assert_eq!(put(root, left).await.unwrap().deleted, gone);
    assert!(!root.join("2026-11-21").exists());
    let found = pages(root);
    // Pages that browsers have kept ask for the old style sheet.
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        ["foreign.txt", "index.html", "sitemap.xml", "static/site-3f9a01bc.css"]
    );
}

#[tokio::test]
async fn a_site_does_not_vanish_because_the_wrong_data_folder_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let days: Vec<_> = (0..100).map(|day| item(&format!("{day}/index.html"), "day")).collect();
    put(folder.path(), &days).await.unwrap();
    let error = put(folder.path(), &days[..79]).await.unwrap_err().to_string();
    assert!(
        error.contains("would delete 21 of 100 files, `79/index.html` among them"),
        "{error}"
    );
    assert_eq!(pages(folder.path()).len(), 100);
    put(folder.path(), &days[..80]).await.unwrap();
    let allowed = NewEdition {
        allow_deletes: true,
        ..now()
    };
    let publisher = Publisher::directory(folder.path());
    publisher.publish(&days[..1], &allowed).await.unwrap();
    assert_eq!(pages(folder.path()).len(), 1);
    go_back(folder.path(), 1).await.unwrap();
    assert_eq!(pages(folder.path()).len(), 100, "and it comes back");
}

#[tokio::test]
async fn what_does_not_pass_the_gate_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let publisher = Publisher::directory(folder.path());
    put(folder.path(), &site(1)).await.unwrap();
    let before = files(folder.path());
    let mut changed = site(1);
    changed[2] = item("2026-11-21/index.html", "nonsense");
    let gate = |items: &[&Item]| {
        let paths: Vec<_> = items.iter().map(|item| item.path()).collect();
        assert_eq!(paths, ["2026-11-21/index.html"], "it sees what is new");
        Ok(vec!["a page is nonsense".to_owned()])
    };
    let new = NewEdition { gate: &gate, ..now() };
    let error = publisher.publish(&changed, &new).await.unwrap_err().to_string();
    assert!(
        error.contains("keeps its present edition") && error.contains("a page is nonsense"),
        "{error}"
    );
    assert_eq!(files(folder.path()), before);
}

#[tokio::test]
async fn editions_are_listed_and_one_that_is_not_there_or_was_tampered_with_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for version in 1..=2 {
        put(root, &site(version)).await.unwrap();
    }
    put(root, &site(2)[1..]).await.unwrap();
    go_back(root, 1).await.unwrap();
    let editions = Publisher::directory(root).editions().await.unwrap().newest_first;
    let said: Vec<_> = editions
        .iter()
        .map(|edition| (edition.number, edition.written(), edition.deleted(), edition.same_as))
        .collect();
    assert_eq!(
        said,
        [(4, 5, 0, Some(1)), (3, 0, 1, None), (2, 5, 0, None), (1, 5, 0, None)]
    );
    for missing in [0, 5] {
        let error = go_back(root, missing).await.unwrap_err();
        assert!(matches!(error, PublishError::NoEdition { .. }), "{error}");
    }
    let before = files(root);
    let hash = editions[2].changes["sitemap.xml"].is.clone().unwrap();
    fs::write(root.join("_objects").join(&hash), "something else").unwrap();
    let error = go_back(root, 2).await.unwrap_err().to_string();
    assert!(
        error.contains("what `sitemap.xml` had then is not among the kept files"),
        "{error}"
    );
    assert_eq!(pages(root), {
        let mut pages = before;
        pages.retain(|path, _| !path.starts_with('_'));
        pages
    });
}

#[tokio::test]
async fn old_editions_are_forgotten_with_what_only_they_kept() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let text = |version: u64| [item("index.html", version.to_string()), item("always", "same")];
    let newest = KEPT_EDITIONS + 5;
    for version in 1..=newest {
        put(root, &text(version)).await.unwrap();
    }
    let count = |folder: &str| fs::read_dir(root.join(folder)).unwrap().count() as u64;
    assert_eq!(count("_editions"), KEPT_EDITIONS);
    assert_eq!(count("_objects"), KEPT_EDITIONS, "what each of them replaced");
    let error = go_back(root, 5).await.unwrap_err();
    assert!(matches!(error, PublishError::NoEdition { .. }), "{error}");
    go_back(root, 6).await.unwrap();
    assert_eq!(pages(root), texts(&text(6)));
}

#[tokio::test]
async fn a_file_is_published_when_its_content_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (root, file) = (folder.path().join("site"), folder.path().join("rides.csv"));
    let mut items = site(1);
    items[3] = Item::File {
        path: "2026-11-21/rides.csv".to_owned(),
        file: file.clone(),
    };
    for text in ["one", "two"] {
        fs::write(&file, text).unwrap();
        let planned = Publisher::directory(&root).plan(&items).await.unwrap();
        assert!(planned.written.iter().any(|path| path == "2026-11-21/rides.csv"));
        assert_eq!(put(&root, &items).await.unwrap().written, planned.written);
        assert_eq!(pages(&root)["2026-11-21/rides.csv"], text);
        let again = put(&root, &items).await.unwrap();
        assert_eq!((again.written.len(), again.unchanged), (0, 5));
    }

    fs::remove_file(&file).unwrap();
    let error = put(&root, &items).await.unwrap_err().to_string();
    assert!(
        error.contains("rides.csv") && error.contains("cannot be read"),
        "{error}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_web_server_may_read_what_is_published() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), &site(1)).await.unwrap();
    let usual = folder.path().join("usual");
    fs::write(&usual, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&folder.path().join("index.html")), mode(&usual));
}

#[test]
fn only_names_that_carry_a_hash_are_kept_for_ever() {
    assert!(cache_control("static/report-3f9a01bc.css").ends_with("immutable"));
    assert!(cache_control("static/app.3f9a01bcde.js").ends_with("immutable"));
    for path in ["static/favicon.ico", "index.html", "2026-11-21/report-3f9a01bc.pdf"] {
        assert_eq!(cache_control(path), "public, max-age=60", "{path}");
    }
}

#[test]
fn paths_that_leave_the_root_or_are_ours_are_refused() {
    for path in [
        "/etc/passwd",
        "../x",
        "a//b",
        "a/./b",
        "",
        "_manifest.json",
        "a\\b",
        "a\nb",
    ] {
        let error = check_paths(&[item(path, "")]).unwrap_err();
        assert!(matches!(error, PublishError::BadPath { .. }), "{path}");
    }
    let twice = [item("a", ""), item("a", "")];
    assert!(check_paths(&twice).unwrap_err().to_string().contains("two items"));
}
