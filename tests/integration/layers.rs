//! The layers of `src/lib.rs`, held against the code.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// (module, layer).
const LAYERS: [(&str, u8); 21] = [
    ("domain", 0),
    ("config", 0),
    ("clock", 0),
    ("logging", 0),
    ("metrics", 0),
    ("store", 1),
    ("template", 1),
    ("http", 1),
    ("ingest", 2),
    ("simulate", 2),
    ("report", 2),
    ("publish", 2),
    ("notify", 2),
    ("export", 2),
    ("extract", 2),
    ("peloton", 2),
    ("scheduler", 2),
    ("jobs", 3),
    ("app", 4),
    ("api", 5),
    ("cli", 5),
];

/// What a module may not import although it lies below, or may although it lies beside: (from, to, allowed).
const EXCEPTIONS: [(&str, &str, bool); 14] = [
    ("publish", "store", false),
    ("notify", "store", false),
    ("export", "store", false),
    ("extract", "store", false),
    ("peloton", "store", false),
    ("domain", "config", false),
    ("config", "domain", true),
    ("config", "clock", true),
    ("logging", "config", true),
    ("logging", "clock", true),
    ("logging", "domain", true),
    ("metrics", "domain", true),
    ("cli", "api", true),
    ("api", "app", false),
];

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

fn is_allowed(from: &str, to: &str) -> bool {
    if let Some((.., allowed)) = EXCEPTIONS.iter().find(|(a, b, _)| (*a, *b) == (from, to)) {
        return *allowed;
    }
    from == to || layer(to).is_some_and(|to| layer(from).is_some_and(|from| to < from))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that `text` names after `crate::`, also in a `use crate::{a::…, b::…}` list.
fn imports(text: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect();
    let mut found = Vec::new();
    for (number, line) in code.iter().enumerate() {
        for (_, rest) in line.match_indices("crate::").map(|(at, _)| line.split_at(at + 7)) {
            if !rest.starts_with('{') {
                let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.push((number + 1, word));
                continue;
            }
            // The names at depth one of the list, which may go on over lines.
            let list: String = std::iter::once(rest)
                .chain(code[number + 1..].iter().copied())
                .collect::<Vec<_>>()
                .join("\n");
            let (mut depth, mut is_first) = (0, true);
            let mut word = String::new();
            for c in list.chars() {
                if depth == 1 && (c.is_alphanumeric() || c == '_') {
                    word.push(c);
                    continue;
                }
                let name = std::mem::take(&mut word);
                if is_first && !name.is_empty() {
                    found.push((number + 1, name));
                }
                is_first = matches!(c, ',' | '{') || is_first && c.is_whitespace();
                depth += i32::from(c == '{') - i32::from(c == '}');
                if depth == 0 {
                    break;
                }
            }
        }
    }
    found.retain(|(_, name)| layer(name).is_some());
    found
}

#[test]
fn imports_are_found_in_lines_and_in_lists() {
    let text = "use crate::clock::Clock;\nuse crate::{\n    domain::{day::DayRule, run},\n    store::Store,\n};\nlet x = crate::api::y; // crate::cli::z";
    let names: Vec<_> = imports(text).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["clock", "domain", "store", "api"]);
}

#[test]
fn a_module_imports_only_from_lower_layers() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut upward = Vec::new();
    for path in files {
        let relative = path.strip_prefix(&source).unwrap();
        let first = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy()
            .into_owned();
        let module = first.trim_end_matches(".rs");
        // Tests may look further: they put the layers together.
        let is_test = relative.to_string_lossy().contains("test") || relative.ends_with("fixture.rs");
        if is_test || matches!(module, "lib" | "main") {
            continue;
        }
        assert!(
            layer(module).is_some(),
            "`{module}` has no layer in this test and in src/lib.rs"
        );
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (line, to) in imports(text) {
            if !is_allowed(module, &to) {
                upward.push(format!("src/{}:{line} imports `{to}`", relative.display()));
            }
        }
    }
    assert!(
        upward.is_empty(),
        "imports against the layers of src/lib.rs:\n{}",
        upward.join("\n")
    );
}
