//! The site of the sample days, as `make test-web` looks at it in a browser: with `DELOTON_WEB_SAMPLES=/folder` it is left
//! there.

use std::{fs, path::PathBuf};

use deloton::{
    domain::artifact::Artifact,
    report,
    template::{Templates, assets},
};

/// Where the sample site thinks that it is; nobody is asked there.
const SITE_URL: &str = "https://reports.deloton.example";

#[test]
fn every_sample_day_is_light_however_much_was_ridden() {
    let templates = Templates::load(None).unwrap();
    let site = report::sample_site(&templates, SITE_URL).unwrap();
    leave(&site);
    let weigh = |name: &str| {
        assets::all()
            .iter()
            .find(|asset| asset.name == name)
            .unwrap()
            .bytes
            .len()
    };
    let loaded = weigh("site.css") + weigh("icon.svg") + weigh("fonts/InterVar-dtn.woff2");
    let files = |name: &'static str| {
        site.iter()
            .filter(move |file| file.path.starts_with("daily/") && file.path.ends_with(name))
    };
    assert!(files("index.html").count() >= 8);
    for page in files("index.html") {
        let weight = page.bytes.len() + loaded;
        assert!(weight < 150_000, "{}: {weight} bytes with all it loads", page.path);
    }
    for pdf in files(".pdf") {
        assert!(pdf.bytes.len() < 200_000, "{}: {} bytes", pdf.path, pdf.bytes.len());
    }
}

/// Writes the site where it was asked for.
fn leave(site: &[Artifact]) {
    let Some(folder) = std::env::var_os("DELOTON_WEB_SAMPLES") else {
        return;
    };
    for file in site {
        let path = PathBuf::from(&folder).join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.bytes).unwrap();
    }
}
