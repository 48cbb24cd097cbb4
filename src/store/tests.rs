//! What can be in the place of a state, and what can happen to it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nearmiss_core::state::GatewayState;
use nearmiss_core::time::Minute;
use serde_json::{Value, json};

use super::embedded::{self, Embedded};
use super::*;

const NOTHING: Figures = Figures { days: Vec::new(), recent: Vec::new() };

fn days(days: Vec<HistoryDay>) -> Figures {
    Figures { days, recent: Vec::new() }
}

fn a_day(number: usize, day: i64) -> HistoryDay {
    HistoryDay { gateway: key(number), day, record: vec![0x33; 600] }
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    (directory, path)
}

fn names(directory: &tempfile::TempDir) -> Vec<String> {
    let files = fs::read_dir(directory.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let is_lock = |name: &String| name.rsplit('.').next() == Some("lock");
    let mut names: Vec<String> = names.filter(|name| !is_lock(name)).collect();
    names.sort();
    names
}

fn store(path: &Path) -> Embedded {
    Embedded::locked(path).unwrap()
}

/// What a daemon that starts would find.
fn load(path: &Path) -> Result<PersistedState, StateError> {
    store(path).load_now()
}

/// A state of this many bytes.
fn remembered(bytes: usize) -> PersistedState {
    let silence = json!({
        "id": "1", "at_most": "critical", "from": 1, "until": 2, "comment": "x".repeat(bytes),
    });
    let state = json!({ "gateways": {}, "silences": [silence] });
    serde_json::from_value(state).unwrap()
}

fn key(number: usize) -> String {
    format!("eu-central-1/111122223333/app/service-{number:05}/50dc6c495c0c9188")
}

/// This many gateways, none of them written yet.
fn fleet(gateways: usize) -> PersistedState {
    let mut state = PersistedState::default();
    for number in 0..gateways {
        let minute = 29_000_000 + i64::try_from(number).unwrap();
        state.gateways.get_or_insert_with(&key(number), || GatewayState::starting(Minute(minute)));
    }
    state
}

/// Counts one more request of a gateway.
fn counted(state: &mut PersistedState, number: usize) {
    state.gateways.get_mut(&key(number)).unwrap().totals.requests += 1;
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
        "redb",
        "redb\u{1a}\n not a database",
        deep.as_str(),
    ] {
        let (directory, path) = place();
        fs::write(&path, text).unwrap();
        let shown: String = text.chars().take(80).collect();
        assert!(matches!(embedded::read(&path), Err(StateError::Damaged { .. })), "{shown}");
        assert_eq!(load(&path).unwrap(), PersistedState::default(), "{shown}");
        assert_eq!(names(&directory), ["state.json.damaged"], "{shown}");
        assert_eq!(fs::read_to_string(directory.path().join("state.json.damaged")).unwrap(), text);
    }
}

#[test]
fn the_first_version_is_read() {
    let (_directory, path) = place();
    let notified = |notified: &Value| {
        json!({"version": 1, "gateways": {"eu-central-1/1/app/web/5": {
            "unassessed": 10, "uncounted": 9, "totals": {"requests": 1, "near_misses": 2, "timeouts": 3},
            "remembered": [{"m": 8, "t": 30.0, "requests": 1, "near_misses": 2, "timeouts": 3}],
            "records": [{"told": notified, "episode": {
                "id": "a", "began": 7, "last_breach": 8, "severity": "warning", "rules": {"near_miss": 7},
                "evidence": {"rule": "near_miss", "why": "", "value": 1.0, "threshold": 2.0},
                "quiet_minutes": 0, "ended": null, "requests": 1, "near_misses": 2, "timeouts": 3,
            }}],
        }}})
    };
    for (value, receivers) in [(json!("warning"), 1), (Value::Null, 0)] {
        fs::write(&path, notified(&value).to_string()).unwrap();
        let state = load(&path).unwrap();
        let record = &state.gateways["eu-central-1/1/app/web/5"].records[0];
        assert_eq!(
            (record.gateway.id.name.as_str(), record.gateway.timeout.seconds),
            ("web", 30.0)
        );
        assert_eq!(record.notified.len(), receivers);
    }
}

#[test]
fn every_newer_version_is_left_alone() {
    for version in ["3", "99", "4294967296", "4294967298", "18446744073709551615", "1e30"] {
        let (directory, path) = place();
        let text = format!("{{\"version\":{version},\"gateways\":{{}}}}");
        fs::write(&path, &text).unwrap();
        let error = load(&path).unwrap_err().to_string();
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
        let state = State { path: path.to_owned() };
        let mut kept = store(path);
        for error in [
            kept.load_now().unwrap_err(),
            kept.save_now(&mut PersistedState::default(), &NOTHING).unwrap_err(),
            probe(&state).unwrap_err(),
            read(&state).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains(&format!(" is {what}, and must be a regular file")), "{error}");
        }
        drop(kept);
        let _ = fs::remove_file(format!("{}.lock", path.display()));
    }
    fs::create_dir(directory.path().join("state.json.new")).unwrap();
    let error = store(&path).save_now(&mut PersistedState::default(), &NOTHING).unwrap_err();
    assert!(
        crate::edge::aws::chain(&error)
            .ends_with("state.json.new is in the way: it is a directory"),
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
        store(&path).save_now(&mut remembered(bytes), &NOTHING).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert!(fs::symlink_metadata(&real).unwrap().is_file());
        assert_eq!(load(&path).unwrap(), remembered(bytes));
    }
    assert_eq!(names(&directory), ["between", "disk", "state.json"], "all else is beside the file");
    // Two names of one file have one lock.
    let _held = store(&path);
    assert!(Embedded::locked(&real).is_err());

    let (_elsewhere, circle) = place();
    symlink(&circle, &circle).unwrap();
    assert!(load(&circle).is_err());
}

/// Room is taken when the file is created: changes need no more of the disk from then on,
/// even if every gateway changes each time.
#[test]
fn a_full_disk_does_not_hinder_what_fits_in_the_room_that_there_is() {
    let (_directory, path) = place();
    let mut kept = store(&path);
    let mut state = fleet(1000);
    kept.save_now(&mut state, &NOTHING).unwrap();
    let seen = || {
        let file = fs::metadata(&path).unwrap();
        (file.ino(), file.len(), file.blocks())
    };
    let (before, room) = (seen(), fs::metadata(&path).unwrap());
    assert!(room.blocks() * 512 >= room.len() / 2, "{room:?}");
    for round in 0..30 {
        for number in 0..if round % 3 == 0 { 1000 } else { 2 } {
            counted(&mut state, number);
        }
        kept.save_now(&mut state, &NOTHING).unwrap();
        assert_eq!(seen(), before, "round {round}");
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(kept);
    assert_eq!(load(&path).unwrap(), state);
}

#[test]
fn what_did_not_change_is_not_written() {
    let (_directory, path) = place();
    let mut kept = store(&path);
    let mut state = fleet(2000);
    kept.save_now(&mut state, &NOTHING).unwrap();
    for (changed, at_most) in [(vec![], 0), (vec![7, 1500], 40)] {
        for number in changed {
            counted(&mut state, number);
        }
        let before = fs::read(&path).unwrap();
        kept.save_now(&mut state, &NOTHING).unwrap();
        let after = fs::read(&path).unwrap();
        let pages = before.chunks(4096).zip(after.chunks(4096));
        let written = pages.filter(|(before, after)| before != after).count();
        assert!(written <= at_most && (written > 0) == (at_most > 0), "{written} pages");
        assert_eq!(embedded::read(&path).unwrap(), state, "read while it is open");
    }
    state.gateways.retain(|one, _| one != key(7));
    kept.save_now(&mut state, &NOTHING).unwrap();
    drop(kept);
    assert_eq!(load(&path).unwrap(), state);
    assert_eq!(state.gateways.len(), 1999);
}

/// A kill leaves the file as it is at that moment, and a power cut leaves what reached the
/// disk: any mixture of pages of the next commit over those of the last one, without the
/// header that says that it is done.
#[test]
fn whenever_it_ends_what_was_saved_last_is_there() {
    let (_directory, path) = place();
    let (_elsewhere, copy) = place();
    let mut kept = store(&path);
    let mut state = fleet(300);
    kept.save_now(&mut state, &NOTHING).unwrap();
    let mut before = (fs::read(&path).unwrap(), state.clone());
    for round in 0..40 {
        for number in (round % 7..300).step_by(1 + round % 40) {
            counted(&mut state, number);
        }
        kept.save_now(&mut state, &NOTHING).unwrap();
        let after = fs::read(&path).unwrap();
        fs::write(&copy, &after).unwrap();
        assert_eq!(load(&copy).unwrap(), state, "killed after save {round}");
        let mut torn = after.clone();
        for (number, page) in torn.chunks_mut(4096).enumerate() {
            let old = number * 4096..(number * 4096 + page.len()).min(before.0.len());
            if (number * 7 + round) % 3 == 0 || number == 0 {
                page.copy_from_slice(&before.0[old]);
            }
        }
        fs::write(&copy, &torn).unwrap();
        assert_eq!(load(&copy).unwrap(), before.1, "torn at save {round}");
        before = (after, state.clone());
    }
}

/// Corrupted bytes are detected, wherever they are, and nothing panics.
#[test]
fn a_damaged_store_is_set_aside_as_it_is() {
    let (_directory, path) = place();
    let mut state = fleet(300);
    store(&path).save_now(&mut state, &NOTHING).unwrap();
    let whole = fs::read(&path).unwrap();
    let (mut damaged, mut unharmed) = (0, 0);
    for step in 0..90_usize {
        let (directory, copy) = place();
        let mut bytes = whole.clone();
        match step % 3 {
            0 => bytes.truncate(step * whole.len() / 95),
            1 => bytes[step * whole.len() / 100..][..64].fill(0xa5),
            _ => bytes[step / 3 * 8..][..8].fill(0xff),
        }
        fs::write(&copy, &bytes).unwrap();
        let found = load(&copy).unwrap();
        if found == PersistedState::default() {
            damaged += 1;
            assert!(names(&directory).contains(&"state.json.damaged".to_owned()), "step {step}");
        } else {
            unharmed += 1; // what was free was hit
            assert_eq!(found, state, "step {step}");
        }
    }
    assert!(damaged > 30 && unharmed > 3, "{damaged} damaged, {unharmed} unharmed");
}

/// Whoever only reads gets what was saved or one error, whichever bit is another.
#[test]
fn a_flipped_bit_is_an_error_or_makes_no_difference() {
    let (_directory, path) = place();
    let mut state = fleet(100);
    let mut kept = store(&path);
    kept.save_now(&mut state, &NOTHING).unwrap();
    let killed = fs::read(&path).unwrap();
    counted(&mut state, 1);
    kept.save_now(&mut state, &NOTHING).unwrap();
    drop(kept);
    counted(&mut state, 1);
    store(&path).save_now(&mut state, &NOTHING).unwrap();
    let closed = fs::read(&path).unwrap();
    let (_elsewhere, copy) = place();
    for whole in [killed, closed] {
        fs::write(&copy, &whole).unwrap();
        let state = embedded::read(&copy).unwrap();
        let is_used = |at: &usize| *at < 320 || (whole[*at] != 0 && whole[*at] != 0xff);
        let places: Vec<usize> = (0..whole.len()).filter(is_used).collect();
        let (mut same, mut damaged) = (0, 0);
        for (number, at) in places.iter().step_by(places.len() / 150).enumerate() {
            let mut bytes = whole.clone();
            bytes[*at] ^= 1 << (number % 8);
            fs::write(&copy, &bytes).unwrap();
            match embedded::read(&copy) {
                Ok(read) => {
                    assert_eq!(read, state, "byte {at}, bit {}", number % 8);
                    same += 1;
                }
                Err(StateError::Damaged { .. }) => damaged += 1,
                Err(error) => panic!("byte {at}, bit {}: {error}", number % 8),
            }
            assert!(fs::read(&copy).unwrap() == bytes, "it is not written to");
        }
        assert!(damaged > 50, "{damaged} damaged, {same} the same");
    }
}

/// What somebody else does to the file while the daemon has it open, in its place.
#[test]
fn what_is_damaged_in_place_is_written_anew() {
    type Harm = fn(&Path, &[u8]);
    let harms: [(&str, Harm); 6] = [
        ("emptied", |path, _| fs::write(path, "").unwrap()),
        ("cut in half", |path, all| fs::write(path, &all[..all.len() / 2]).unwrap()),
        ("zeroed", |path, all| fs::write(path, vec![0; all.len()]).unwrap()),
        ("another file", |path, _| fs::write(path, "hello").unwrap()),
        ("an older copy", |path, _| {
            let _ = fs::copy(path.with_extension("older"), path).unwrap();
        }),
        ("the same again", |path, all| fs::write(path, all).unwrap()),
    ];
    for (name, harm) in harms {
        let (_directory, path) = place();
        let mut kept = store(&path);
        let mut state = fleet(50);
        kept.save_now(&mut state, &NOTHING).unwrap();
        fs::copy(&path, path.with_extension("older")).unwrap();
        for number in 0..50 {
            counted(&mut state, number);
        }
        kept.save_now(&mut state, &days(vec![a_day(1, 20_000)])).unwrap();
        harm(&path, &fs::read(&path).unwrap());
        counted(&mut state, 7);
        kept.save_now(&mut state, &NOTHING).unwrap();
        let left = kept.days_now(&[key(1)]).unwrap();
        assert_eq!(left.len(), usize::from(name == "the same again"), "{name}");
        assert_eq!(embedded::read(&path).unwrap(), state, "{name}");
        drop(kept);
        assert_eq!(load(&path).unwrap(), state, "{name}");
    }
}

/// A bit of what redb does not look at again while the file is open.
#[test]
fn damaged_figures_are_not_known() {
    let (_directory, path) = place();
    let mut kept = store(&path);
    let mut state = fleet(2);
    let recent = |byte: u8| RecentMinutes { gateway: key(1), record: vec![byte; 700] };
    let figures =
        Figures { days: vec![a_day(0, 20_000), a_day(0, 20_001)], recent: vec![recent(0x77)] };
    kept.save_now(&mut state, &figures).unwrap();
    assert_eq!(kept.recent_now(&[key(0), key(1)]).unwrap(), figures.recent);
    drop(kept);
    let mut kept = store(&path);
    kept.load_now().unwrap();
    for pattern in [[0x33_u8; 600].as_slice(), &[0x77; 600]] {
        let bytes = fs::read(&path).unwrap();
        let starts = bytes.windows(600).enumerate().filter(|(_, window)| *window == pattern);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for (at, _) in starts {
            std::os::unix::fs::FileExt::write_all_at(&file, &[pattern[0] ^ 4], at as u64 + 9)
                .unwrap();
        }
    }
    assert_eq!(kept.recent_now(&[key(1)]).unwrap(), []);
    assert_eq!(kept.days_now(&[key(0)]).unwrap(), []);
    // Written again, they are known again.
    let figures = Figures { days: vec![a_day(0, 20_001)], recent: vec![recent(0x55)] };
    kept.save_now(&mut state, &figures).unwrap();
    assert_eq!(kept.recent_now(&[key(1)]).unwrap(), figures.recent);
    assert_eq!(kept.days_now(&[key(0)]).unwrap(), figures.days);
}

#[test]
fn recent_minutes_are_kept_with_their_gateway() {
    let (_directory, path) = place();
    let mut kept = store(&path);
    let mut state = fleet(3);
    let recent = |number: usize| RecentMinutes { gateway: key(number), record: vec![9; 300] };
    let saved = Figures { days: Vec::new(), recent: vec![recent(0), recent(1), recent(2)] };
    kept.save_now(&mut state, &saved).unwrap();
    state.gateways.retain(|one, _| one != key(1));
    kept.save_now(&mut state, &NOTHING).unwrap();
    drop(kept);
    let mut kept = store(&path);
    kept.load_now().unwrap();
    let all = [key(0), key(1), key(2), key(3)];
    assert_eq!(kept.recent_now(&all).unwrap(), [recent(0), recent(2)]);
}

/// One bit says which of redb's two commits is the last one, and nothing checks it.
#[test]
fn a_store_that_went_back_is_noticed() {
    let (_directory, path) = place();
    let mut kept = store(&path);
    let mut state = fleet(5);
    kept.save_now(&mut state, &NOTHING).unwrap();
    let before = fs::read(&path).unwrap();
    counted(&mut state, 1);
    kept.save_now(&mut state, &NOTHING).unwrap();
    // As a kill leaves it.
    let mut bytes = fs::read(&path).unwrap();
    drop(kept);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(embedded::read(&path).unwrap(), state);
    bytes[9] ^= 1;
    for older in [&bytes, &before] {
        fs::write(&path, older).unwrap();
        let error = embedded::read(&path).unwrap_err().to_string();
        assert!(error.contains("has save 1, and save 2 was written after it"), "{error}");
    }
    // A daemon goes on from it, and its saves are newer than any before.
    let mut kept = store(&path);
    let mut older = kept.load_now().unwrap();
    assert_eq!(older, fleet(5));
    counted(&mut older, 2);
    kept.save_now(&mut older, &NOTHING).unwrap();
    drop(kept);
    assert_eq!(embedded::read(&path).unwrap(), older);
}

#[test]
fn what_is_set_aside_and_kept_has_a_name_of_its_own() {
    let (directory, path) = place();
    let beside = |end: &str| directory.path().join(format!("state.json{end}"));
    fs::create_dir(beside(".damaged")).unwrap();
    for (end, text) in [(".damaged.2", "one"), (".damaged.3", "other")] {
        fs::write(&path, text).unwrap();
        assert_eq!(load(&path).unwrap(), PersistedState::default());
        assert_eq!(fs::read_to_string(beside(end)).unwrap(), text);
    }
    fs::create_dir(beside(".before")).unwrap();
    let mut text = Vec::new();
    fleet(1).write_json(&mut text).unwrap();
    fs::write(&path, &text).unwrap();
    let mut kept = store(&path);
    let mut state = kept.load_now().unwrap();
    kept.save_now(&mut state, &NOTHING).unwrap();
    assert_eq!(fs::read(beside(".before.2")).unwrap(), text);
    assert_eq!(fs::read_to_string(beside(".damaged.2")).unwrap(), "one");
}

/// Of a newer redb, which a downgrade would find.
#[test]
fn a_database_of_a_newer_format_is_left_alone() {
    let (directory, path) = place();
    store(&path).save_now(&mut fleet(1), &NOTHING).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    (bytes[64], bytes[192]) = (4, 4);
    fs::write(&path, &bytes).unwrap();
    for error in [load(&path).unwrap_err(), embedded::read(&path).unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("has version 3 in a database of format 4, and"), "{error}");
    }
    assert!(fs::read(&path).unwrap() == bytes && names(&directory) == ["state.json"]);
}

#[test]
fn a_json_file_is_taken_over_once_and_kept() {
    let (directory, path) = place();
    let mut text = Vec::new();
    fleet(3).write_json(&mut text).unwrap();
    fs::write(&path, &text).unwrap();
    fs::write(directory.path().join("state.json.spare"), "{").unwrap();
    let mut kept = store(&path);
    let mut state = kept.load_now().unwrap();
    assert_eq!(state, fleet(3));
    drop(kept);
    assert_eq!(fs::read(&path).unwrap(), text, "before anything is saved nothing is lost");
    let mut kept = store(&path);
    kept.load_now().unwrap();
    counted(&mut state, 1);
    kept.save_now(&mut state, &NOTHING).unwrap();
    assert_eq!(names(&directory), ["state.json", "state.json.before"]);
    assert_eq!(fs::read(directory.path().join("state.json.before")).unwrap(), text);
    counted(&mut state, 2);
    kept.save_now(&mut state, &NOTHING).unwrap();
    drop(kept);
    assert_eq!(load(&path).unwrap(), state);
    // What is exported could be imported again.
    let mut exported = Vec::new();
    embedded::read(&path).unwrap().write_json(&mut exported).unwrap();
    assert_eq!(PersistedState::of_json(&exported).unwrap(), state);
}

/// Somebody removes the file or its directory while the daemon runs.
#[test]
fn a_file_that_is_gone_is_made_anew_with_everything() {
    let (directory, path) = place();
    let sub = directory.path().join("sub");
    let path = sub.join(path.file_name().unwrap());
    fs::create_dir(&sub).unwrap();
    let mut kept = store(&path);
    let mut state = fleet(5);
    kept.save_now(&mut state, &NOTHING).unwrap();
    for gone in [&path, &sub] {
        if gone.is_dir() {
            fs::remove_dir_all(gone).unwrap();
        } else {
            fs::remove_file(gone).unwrap();
        }
        counted(&mut state, 2);
        let saved = kept.save_now(&mut state, &NOTHING);
        assert_eq!(saved.is_ok(), gone == &path);
        if saved.is_err() {
            let say = |kept: &mut Embedded, state: &mut PersistedState| {
                crate::edge::aws::chain(&kept.save_now(state, &NOTHING).unwrap_err())
            };
            assert_eq!(say(&mut kept, &mut state), say(&mut kept, &mut state), "the same words");
            fs::create_dir(&sub).unwrap();
            kept.save_now(&mut state, &NOTHING).unwrap();
        }
        assert_eq!(embedded::read(&path).unwrap(), state);
    }
}

#[test]
fn days_of_history_are_kept_for_a_fortnight() {
    let (_directory, path) = place();
    let mut kept = store(&path);
    let mut state = fleet(2);
    let day = |number: usize, day: i64, byte: u8| HistoryDay {
        gateway: key(number),
        day,
        record: vec![byte; 600],
    };
    assert_eq!(kept.days_now(&[key(0)]).unwrap(), []);
    kept.save_now(&mut state, &NOTHING).unwrap();
    assert_eq!(kept.days_now(&[key(0)]).unwrap(), []);
    for today in 20_000..20_020 {
        kept.save_now(&mut state, &days(vec![day(0, today, 7), day(1, today, 8)])).unwrap();
        kept.save_now(&mut state, &days(vec![day(0, today, 9)])).unwrap();
    }
    drop(kept);
    let mut kept = store(&path);
    kept.load_now().unwrap();
    let days = kept.days_now(&[key(0), key(5)]).unwrap();
    assert_eq!(days, (20_005..20_020).map(|today| day(0, today, 9)).collect::<Vec<_>>());
    assert_eq!(kept.days_now(&[key(1)]).unwrap()[3], day(1, 20_008, 8));
}

#[test]
fn what_a_crash_left_open_can_be_read_without_writing() {
    let (directory, path) = place();
    let mut open = store(&path);
    let mut state = fleet(20);
    open.save_now(&mut state, &NOTHING).unwrap();
    counted(&mut state, 3);
    open.save_now(&mut state, &NOTHING).unwrap();
    // As a kill leaves it: nobody has closed it.
    let left = directory.path().join("left.json");
    fs::copy(&path, &left).unwrap();
    let before = fs::read(&left).unwrap();
    assert_eq!(embedded::read(&left).unwrap(), state);
    assert!(fs::read(&left).unwrap() == before, "it is not written to");
}

#[test]
fn a_newer_store_is_left_alone() {
    let (_directory, path) = place();
    store(&path).save_now(&mut fleet(1), &NOTHING).unwrap();
    tables::say_version(&path, 4);
    for error in [load(&path).unwrap_err(), embedded::read(&path).unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("has version 4, and this nearmiss knows version 3"), "{error}");
    }
}

#[test]
fn a_second_daemon_is_refused_and_told_by_whom() {
    let (_directory, path) = place();
    let first = store(&path);
    let error = Embedded::locked(&path).unwrap_err().to_string();
    let expected =
        format!("is in use by the nearmiss with the process id {}: ", std::process::id());
    assert!(error.contains(&expected), "{error}");
    probe(&State { path: path.clone() }).unwrap(); // a check goes on
    drop(first);
    drop(store(&path)); // a lock that nobody holds is no lock
    fs::write(path.with_extension("json.lock"), "999999\n").unwrap();
    drop(store(&path)); // nor is a file that a dead process left
    assert!(Embedded::locked(Path::new("/no/such/directory/state.json")).is_ok());
}
