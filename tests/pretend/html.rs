//! Tests of the page that `spore plan --format html` writes.

use crate::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::fs;

/// The contents of each element with this name.
fn elements<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    page.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap()).collect()
}

/// The page has everything, and its policy allows its own style sheets and script and nothing else.
#[test]
fn a_plan_is_a_page_that_makes_no_request() {
    let world = World::new();
    world.change(
        "shapes.yaml",
        "services: [tns, hoarder]",
        "services: [tns, hoarder]  # </script><img src=x>",
    );
    let mut command = world.command(&["plan", "--format", "html"]);
    command
        .env("GITHUB_SERVER_URL", "https://git.example")
        .env("GITHUB_REPOSITORY", "o/r")
        .env("GITHUB_SHA", "abc");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("plan: "));
    for part in
        ["<title>net.test: plan: ", "<h2 id=\"map\">Map", "wave 2", "<summary><b>h4</b>", "/tb/bin/tau"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains("href=\"https://git.example/o/r/blob/abc/hosts/h4.yaml#L"), "{page}");
    let policy =
        page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    let (styles, scripts) = (elements(&page, "style"), elements(&page, "script"));
    assert_eq!((styles.len(), scripts.len()), (2, 1));
    for text in styles.iter().chain(&scripts) {
        let digest = STANDARD.encode(Sha256::digest(text.as_bytes()));
        assert!(policy.contains(&format!("'sha256-{digest}'")), "{policy}");
    }
    // Nothing that would be requested, and no handler or style that the policy would forbid.
    let rest = scripts.iter().chain(&styles).fold(page.clone(), |page, text| page.replace(text, ""));
    for forbidden in
        [" src=", " style=", " on", "<link", "<img", "<iframe", "javascript:", "http-equiv=\"refresh\""]
    {
        let found = rest.split('<').skip(1).filter_map(|tag| tag.split('>').next());
        let found =
            found.map(|tag| format!("<{tag}")).find(|tag| tag.contains(forbidden) && !tag.starts_with("<p>"));
        assert_eq!(found, None, "{forbidden}");
    }
    fs::write(world.folder().join("plan.html"), &page).unwrap();
    // Without a pipeline there are no links.
    let page = world.command(&["plan", "--format", "html"]).output().unwrap().stdout;
    assert!(!String::from_utf8(page).unwrap().contains("href="));
}
