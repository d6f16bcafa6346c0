//! Tests of the page that `spore plan --format html` writes.

use crate::graph::folder;
use crate::page::installed;
use crate::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use spore_drive::network::{Draft, Links, Secrets};
use spore_drive::plan::file::{PlanFile, PlanPage, PlannedChange};
use spore_drive::render::graph::Diagram;
use spore_drive::render::report;
use spore_drive::resource::Printable;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

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
    // Without a pipeline there are no links.
    let page = world.command(&["plan", "--format", "html"]).output().unwrap().stdout;
    assert!(!String::from_utf8(page).unwrap().contains("href="));
}

/// A plan in which `count` hosts have the changes of h4 in this plan, and hostile texts.
fn page(plan: &PlanPage, count: usize) -> String {
    let folder = folder(count - 3);
    let network = Draft::read(folder.path(), Secrets::Elsewhere, Links::Inside).finish().unwrap();
    let hostile = Printable::line(
        "</pre><script>document.title='hostile'</script><img src=http://192.0.2.1/x onerror=x>",
    );
    let change = |host: &str, change: &PlannedChange| PlannedChange {
        host: Printable::line(host),
        text: hostile.clone(),
        details: [change.details.clone(), vec![hostile.clone()]].concat(),
        ..change.clone()
    };
    let of_h4: Vec<&PlannedChange> =
        plan.changes.iter().filter(|change| change.host.as_str() == "h4").collect();
    let hosts: Vec<String> = network.hosts.keys().map(ToString::to_string).collect();
    let mut plan = PlanPage {
        changes: hosts.iter().flat_map(|host| of_h4.iter().map(|found| change(host, found))).collect(),
        notes: vec![hostile.clone()],
        ..plan.clone()
    };
    // In every wave, each host has all actions of the first.
    let some = plan.waves[0].hosts.values().next().unwrap().clone();
    for actions in plan.waves.iter_mut().map(|wave| &mut wave.hosts).chain([&mut plan.stage]) {
        *actions = hosts.iter().map(|host| (Printable::line(host), some.clone())).collect();
    }
    let report = report::plan(&plan, "networks/prod".to_owned());
    report::html(&report, &plan, &Diagram::of(&network, Some(&plan)), None)
}

/// The page as a browser has understood it, after its script has run. `None` if no browser is installed.
fn opened(file: &Path, query: &str) -> Option<String> {
    let browser = installed(
        &["chromium", "chromium-browser", "google-chrome"],
        "html::a_browser_opens_the_page_and_searches_it",
    )?;
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        // Nothing can be reached, and what the page is refused is in the log.
        .args(["--proxy-server=127.0.0.1:9", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}#q={query}", file.display()))
        .env("HOME", profile.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!["Refused", "violates", "CONSOLE"].iter().any(|word| log.contains(word)), "{log}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A real browser shows the page, with 5 and with 500 hosts, and searches it.
#[test]
fn a_browser_opens_the_page_and_searches_it() {
    let world = World::new();
    world.spore(&["plan", "-o", "plan.json"]).exits(2);
    let plan = PlanFile::parse(&fs::read(world.folder().join("plan.json")).unwrap()).unwrap().plan;
    for count in [5, 500] {
        let file = world.folder().join(format!("plan-{count}.html"));
        fs::write(&file, page(&plan, count)).unwrap();
        let Some(dom) = opened(&file, "h2%20swarm.key") else { return };
        assert!(!dom.contains("<title>hostile") && !dom.contains("<img"), "{count} hosts");
        let hosts = || {
            dom.split("<details class=\"found\"").skip(1).map(|rest| rest.split("</summary>").next().unwrap())
        };
        assert!(hosts().count() >= count, "{}", hosts().count());
        let of = |name: &str| hosts().find(|summary| summary.contains(&format!("<b>{name}</b>"))).unwrap();
        assert!(of("h2").contains("open") && !of("h2").contains("hidden"), "{}", of("h2"));
        assert!(of("h3").contains("hidden"), "{}", of("h3"));
        let found = dom.split("<output").nth(1).unwrap().split("</output>").next().unwrap();
        assert!(found.ends_with(" found") && !found.contains(">0 "), "{found}");
        // The waves show only the actions on this host.
        let parts = dom.split("<div class=\"part\"").skip(1).map(|rest| rest.split("</h3>").next().unwrap());
        for part in parts.filter(|part| part.ends_with("<h3>h2") || part.ends_with("<h3>h3")) {
            assert_eq!(part.contains("hidden"), part.ends_with("h3"), "{part}");
        }
        // Without a search, everything is there, and closed.
        let dom = opened(&file, "").unwrap();
        assert!(!dom.contains("hidden=") && !dom.contains(" open="), "{count} hosts");
    }
}
