//! What can stand in the place of a state file, and what can happen to it.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    (directory, path)
}

fn names(directory: &tempfile::TempDir) -> Vec<String> {
    let files = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Something that is remembered, of so many bytes.
fn memory(bytes: usize) -> PersistedState {
    let silence = json!({
        "id": "1", "at_most": "critical", "from": 1, "until": 2, "comment": "x".repeat(bytes),
    });
    let state = json!({ "gateways": {}, "silences": [silence] });
    serde_json::from_value(state).unwrap()
}

#[test]
fn whatever_is_malformed_is_set_aside() {
    let deep = format!("{{\"version\":2,\"gateways\":{}}}", "[".repeat(100_000));
    for text in [
        "",
        "\0",
        "{",
        "[]",
        "5",
        "null",
        "\"version\"",
        "{}",
        "{\"gateways\":{}}",
        "{\"version\":0,\"gateways\":{}}",
        "{\"version\":-1,\"gateways\":{}}",
        "{\"version\":1.5,\"gateways\":{}}",
        "{\"version\":\"2\",\"gateways\":{}}",
        "{\"version\":[2],\"gateways\":{}}",
        "{\"version\":1}",
        "{\"version\":1,\"gateways\":5}",
        "{\"version\":1,\"gateways\":[1]}",
        "{\"version\":1,\"gateways\":{\"x\":5}}",
        "{\"version\":1,\"gateways\":{\"x\":null}}",
        "{\"version\":1,\"gateways\":{\"x\":[{}]}}",
        "{\"version\":1,\"gateways\":{\"x\":{\"records\":5}}}",
        "{\"version\":1,\"gateways\":{\"x\":{\"records\":[5,null,\"a\",[]]}}}",
        "{\"version\":1,\"gateways\":{\"x\":{\"records\":[{\"episode\":5,\"told\":5}]}}}",
        "{\"version\":1,\"gateways\":{\"\":{\"remembered\":[5],\"records\":[{}]}}}",
        "{\"version\":2,\"gateways\":{\"x\":5}}",
        "{\"version\":2,\"gateways\":{},\"silences\":{}}",
        "{\"version\":2,\"gateways\":{},\"silences\":[{}]}",
        "{\"version\":2,\"gateways\":{},\"billed\":{\"1\":-1}}",
        "{\"version\":2,\"gateways\":{},\"sent\":{\"digest\":1e300}}",
        "{\"version\":2,\"gateways\":{},\"own\":{\"data\":{\"since\":9007199254740991,\"lines\":[]}}}",
        "{\"version\":2,\"gateways\":{},\"own\":{\"data\":{\"since\":-5,\"lines\":[]}}}",
        deep.as_str(),
    ] {
        let (directory, path) = place();
        fs::write(&path, text).unwrap();
        let shown: String = text.chars().take(80).collect();
        assert_eq!(StateFile::new(&path).load().unwrap(), PersistedState::default(), "{shown}");
        assert_eq!(names(&directory), ["state.json.damaged"], "{shown}");
        assert_eq!(fs::read_to_string(directory.path().join("state.json.damaged")).unwrap(), text);
    }
}

#[test]
fn the_first_version_is_read() {
    let (_directory, path) = place();
    let told = |told: &Value| {
        json!({"version": 1, "gateways": {"eu-central-1/1/app/web/5": {
            "unassessed": 10, "uncounted": 9, "totals": {"requests": 1, "near_misses": 2, "timeouts": 3},
            "remembered": [{"m": 8, "t": 30.0, "requests": 1, "near_misses": 2, "timeouts": 3}],
            "records": [{"told": told, "episode": {
                "id": "a", "began": 7, "last_breach": 8, "severity": "warning", "rules": {"near_miss": 7},
                "evidence": {"rule": "near_miss", "why": "", "value": 1.0, "threshold": 2.0},
                "quiet_minutes": 0, "ended": null, "requests": 1, "near_misses": 2, "timeouts": 3,
            }}],
        }}})
    };
    for (value, receivers) in [(json!("warning"), 1), (Value::Null, 0)] {
        fs::write(&path, told(&value).to_string()).unwrap();
        let memory = StateFile::new(&path).load().unwrap();
        let record = &memory.gateways["eu-central-1/1/app/web/5"].records[0];
        assert_eq!(
            (record.gateway.id.name.as_str(), record.gateway.timeout.seconds),
            ("web", 30.0)
        );
        assert_eq!(record.told.len(), receivers);
    }
}

#[test]
fn every_newer_version_is_left_alone() {
    for version in ["3", "99", "4294967296", "4294967298", "18446744073709551615", "1e30"] {
        let (directory, path) = place();
        let text = format!("{{\"version\":{version},\"gateways\":{{}}}}");
        fs::write(&path, &text).unwrap();
        let error = StateFile::new(&path).load().unwrap_err().to_string();
        assert!(error.contains("and this nearmiss knows version 2"), "{version}: {error}");
        assert_eq!(
            (names(&directory), fs::read_to_string(&path).unwrap()),
            (vec!["state.json".into()], text)
        );
    }
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let (directory, path) = place();
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let link = directory.path().join("link");
    symlink(&fifo, &link).unwrap();
    for (path, what) in [
        (directory.path(), "a directory"),
        (&fifo, "a FIFO"),
        (&link, "a FIFO"),
        (Path::new("/dev/null"), "a device"),
        (Path::new("/dev/zero"), "a device"),
    ] {
        let file = StateFile::new(path);
        for error in [
            file.load().unwrap_err(),
            file.save(&PersistedState::default()).unwrap_err(),
            file.probe().unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains(&format!(" is {what}, and must be a regular file")), "{error}");
        }
    }
    let in_the_way = StateFile::new(&path);
    fs::create_dir(directory.path().join("state.json.spare")).unwrap();
    let error = in_the_way.save(&PersistedState::default()).unwrap_err();
    assert!(
        crate::edge::aws::chain(&error)
            .ends_with("state.json.spare is in the way: it is a directory"),
        "{error:?}"
    );
}

#[test]
fn a_link_stays_a_link() {
    let (directory, path) = place();
    let real = directory.path().join("disk").join("real.json");
    fs::create_dir(real.parent().unwrap()).unwrap();
    let between = directory.path().join("between");
    symlink("disk/real.json", &between).unwrap();
    symlink(&between, &path).unwrap();
    for bytes in [10, 20, 30] {
        StateFile::new(&path).save(&memory(bytes)).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert!(fs::symlink_metadata(&real).unwrap().is_file());
        assert_eq!(StateFile::new(&path).load().unwrap(), memory(bytes));
    }
    assert_eq!(names(&directory), ["between", "disk", "state.json"], "all else is beside the file");
    // Two names of one file have one lock.
    let _held = StateFile::new(&path).locked().unwrap();
    assert!(StateFile::new(&real).locked().is_err());

    let (_elsewhere, circle) = place();
    symlink(&circle, &circle).unwrap();
    assert!(StateFile::new(&circle).load().is_err());
}

/// The room of both files is taken once: what fits in it needs no more of the disk.
#[test]
fn a_full_disk_does_not_hinder_what_fits_in_the_room_that_there_is() {
    let (directory, path) = place();
    let file = StateFile::new(&path);
    let seen = || {
        let of = |name: &str| {
            let file = fs::metadata(directory.path().join(name)).unwrap();
            (file.ino(), file.len(), file.blocks())
        };
        let mut both = [of("state.json"), of("state.json.spare")];
        both.sort_unstable();
        both
    };
    file.save(&memory(100)).unwrap();
    file.save(&memory(100)).unwrap();
    let both = seen();
    for bytes in [200, 5_000, 60_000, 1, 40_000] {
        file.save(&memory(bytes)).unwrap();
        assert_eq!(file.load().unwrap(), memory(bytes));
        assert_eq!(seen(), both, "{bytes} bytes");
    }
    assert!(both.iter().all(|(_, length, _)| *length > 65_000), "{both:?}");
    // It grows with what must be kept, and becomes smaller again.
    for bytes in [3_000_000, 3_000_000, 10, 10] {
        file.save(&memory(bytes)).unwrap();
        assert_eq!(file.load().unwrap(), memory(bytes));
    }
    assert!(seen().iter().all(|(_, length, _)| *length < 100_000), "{:?}", seen());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A predecessor was killed while it wrote.
#[test]
fn half_a_file_beside_the_state_is_written_over() {
    let (directory, path) = place();
    let file = StateFile::new(&path);
    file.save(&memory(10)).unwrap();
    fs::write(directory.path().join("state.json.spare"), "{\"version\":2,\"gat").unwrap();
    assert_eq!(file.load().unwrap(), memory(10));
    file.save(&memory(20)).unwrap();
    file.save(&memory(30)).unwrap();
    assert_eq!(file.load().unwrap(), memory(30));
    assert_eq!(names(&directory), ["state.json", "state.json.spare"]);
}

#[test]
fn what_cannot_be_written_is_said_in_the_same_words_each_time() {
    let (directory, path) = place();
    let file = StateFile::new(&path);
    let gone = directory.path().to_owned();
    drop(directory);
    assert!(!gone.exists());
    let say = || crate::edge::aws::chain(&file.save(&memory(1)).unwrap_err());
    assert_eq!(say(), say());
}

#[test]
fn a_second_daemon_is_refused_and_told_by_whom() {
    let (_directory, path) = place();
    let file = StateFile::new(&path);
    let first = file.clone().locked().unwrap();
    assert!(first.lock.is_some());
    let error = file.clone().locked().unwrap_err().to_string();
    let expected =
        format!("is in use by the nearmiss with the process id {}: ", std::process::id());
    assert!(error.contains(&expected), "{error}");
    file.probe().unwrap(); // a check goes on
    drop(first);
    assert!(file.clone().locked().unwrap().lock.is_some(), "a lock that nobody holds is no lock");
    fs::write(file.beside(".lock"), "999999\n").unwrap();
    assert!(
        file.clone().locked().unwrap().lock.is_some(),
        "nor is a file that a dead process left"
    );
    let nowhere = StateFile::new(Path::new("/no/such/directory/state.json"));
    assert!(nowhere.locked().unwrap().lock.is_none());
}
