//! Tests of `spore schema`.

use crate::world::{Run, spore};
use serde_json::Value;
use spore_drive::network::FileSchema;
use std::fs;

#[test]
fn a_files_schema_is_found_by_any_path() {
    let printed = |file: &str| Run::of(&mut spore(&["schema", file])).exits(0).text;
    let hosts: Value = serde_json::from_str(&printed("hosts.yaml")).unwrap();
    assert!(hosts["description"].is_null() && hosts["additionalProperties"].is_object(), "{hosts}");
    let host: Value = serde_json::from_str(&printed("hosts/h1.yaml")).unwrap();
    assert!(host["properties"]["ssh"].is_object(), "{host}");
    assert_eq!(printed("/srv/networks/prod/hosts/h1.yml"), printed("hosts/h1.yaml"));
    assert_eq!(printed("./network.yaml"), printed("cloud.yaml"));
    let quiet = Run::of(&mut spore(&["-q", "schema", "hosts.yaml"])).exits(0).text;
    assert_eq!(quiet, printed("hosts.yaml"));
    let run = Run::of(&mut spore(&["schema", "host.yaml"])).exits(1);
    run.says("no file of a network folder is called host.yaml").says("cloud.yaml").says("hosts/*.yaml");
    Run::of(&mut spore(&["schema"])).exits(0).says("cloud.yaml, network.yaml").says("spore schema -o DIR");
}

/// The line of each file names its schema, relative to the file if the schemas are in the folder.
#[test]
fn the_lines_lead_to_the_schemas() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("network");
    fs::create_dir(&folder).unwrap();
    for (directory, relative) in [(".schemas", true), ("../outside/schemas", false)] {
        let run = Run::of(spore(&["schema", "-o", directory]).current_dir(&folder)).exits(0);
        let lines: Vec<(&str, &str)> = run
            .text
            .lines()
            .filter_map(|line| line.split_once(" # yaml-language-server: $schema="))
            .collect();
        assert!(lines.len() > 15, "{run}");
        for (file, path) in lines {
            let file = file.trim_end().replace('*', "any");
            assert_eq!(path.starts_with('.'), relative, "{run}");
            let from = folder.join(&file);
            fs::create_dir_all(from.parent().unwrap()).unwrap();
            let found = fs::read_to_string(from.parent().unwrap().join(path)).unwrap();
            assert_eq!(found, FileSchema::of(&file).unwrap().text(), "{file}");
        }
    }
    fs::write(folder.join("file"), "").unwrap();
    let run = Run::of(spore(&["schema", "-o", "file"]).current_dir(&folder)).exits(1);
    run.says("can't write the schemas to file");
}
