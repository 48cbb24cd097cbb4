//! Which files of nginx are read: includes that are missing, copies of other
//! machines' files, and what `nginx -T` printed.

use std::fs;
use std::os::unix::fs::symlink;

use crate::edge::nginx::{Fault, Nginx};

use super::tree;

/// The read timeouts in seconds, 60 where nginx's default applies, and the notes on the
/// files.
fn read(files: &[(&str, &str)]) -> (Vec<u64>, Vec<String>) {
    read_at(&tree(files), "")
}

fn read_at(folder: &tempfile::TempDir, path: &str) -> (Vec<u64>, Vec<String>) {
    let nginx = Nginx::read(&folder.path().join(path)).unwrap();
    let seconds = nginx
        .routes
        .iter()
        .map(|route| route.time("read_timeout").map_or(60, |time| time.length.as_secs()));
    let prefix = folder.path().to_str().unwrap();
    let notes = nginx.notes.iter().map(|note| note.to_string().replace(prefix, "DIR"));
    (seconds.collect(), notes.collect())
}

const SITE: &str = "server { location / { proxy_pass http://10.0.0.1; proxy_read_timeout 300s; } }";

#[test]
fn what_cannot_matter_may_be_missing() {
    let main = "include /etc/nginx/modules-enabled/*.conf;
        events { include events.conf; }
        http {
            include mime.types;
            include /etc/nginx/mime.types;
            types { include more; }
            map $a $b { include maps; }
            geo $c { include addresses; }
            server { include /etc/letsencrypt/options-ssl-nginx.conf; location / { include fastcgi_params; proxy_pass http://10.0.0.1; } }
        }
        stream { include streams/*.conf; }";
    assert_eq!(read(&[("nginx.conf", main)]), (vec![60], vec![]));
}

#[test]
fn what_may_matter_is_named_once() {
    let server =
        "server { include snippets/proxy.conf; location / { proxy_pass http://10.0.0.1; } }";
    let main = "http { include sites; include sites;\ninclude conf.d/*.conf;\n}";
    let (seconds, notes) = read(&[("nginx.conf", main), ("sites", server)]);
    assert_eq!(seconds, [60, 60]);
    insta::assert_snapshot!(notes.join("\n"), @r#"
    DIR/sites:1 includes "snippets/proxy.conf": it is not there. Timeouts in it are missing here; the output of `nginx -T` has everything
    DIR/nginx.conf:2 includes "conf.d/*.conf", which matches no file
    "#);
    let folder = tree(&[("nginx.conf", main), ("sites", server)]);
    let gaps = Nginx::read(folder.path()).unwrap().notes.iter().filter(|n| n.is_gap()).count();
    assert_eq!(gaps, 1, "only what is missing may hide timeouts");
}

#[test]
fn an_include_that_cannot_be_read_is_named() {
    let (_, notes) = read(&[("nginx.conf", "http { include d; }"), ("d/e", "")]);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].starts_with("DIR/nginx.conf:1 includes \"DIR/d\": Is a directory"),
        "{notes:?}"
    );
}

#[test]
fn the_layout_of_an_image_belongs_to_the_folder() {
    let main = "http { include /etc/nginx/conf.d/*.conf; include /etc/nginx/proxy.conf; }";
    let said = "includes below /etc/nginx were read below DIR, the folder that was given";
    for files in [
        vec![("nginx.conf", main), ("conf.d/default.conf", SITE), ("proxy.conf", "")],
        vec![("nginx.conf", main), ("nginx/conf.d/default.conf", SITE), ("nginx/proxy.conf", "")],
        vec![("nginx.conf", main), ("etc/nginx/conf.d/x.conf", SITE), ("etc/nginx/proxy.conf", "")],
    ] {
        let (seconds, notes) = read(&files);
        assert_eq!(seconds, [300], "{files:?}");
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].ends_with("were read below DIR, the folder that was given"), "{notes:?}");
    }
    let (_, notes) = read(&[("nginx.conf", main), ("conf.d/a.conf", SITE), ("proxy.conf", "")]);
    assert_eq!(notes, [said]);
    // A file that is given has a folder too.
    let folder = tree(&[("deep/main.conf", main), ("deep/conf.d/a.conf", SITE)]);
    let (seconds, notes) = read_at(&folder, "deep/main.conf");
    assert_eq!(seconds, [300]);
    assert!(
        notes.iter().any(|note| note.contains("\"/etc/nginx/proxy.conf\": it is not there")),
        "{notes:?}"
    );
}

/// Nothing below `/etc` is read for a copy, whatever exists there.
#[test]
fn this_machines_own_files_are_never_read_for_a_copy() {
    let main = "http { include /etc/*; include /etc/passwd; include linked; include loop; server { location / { proxy_pass http://10.0.0.1; } } }";
    let folder = tree(&[("nginx.conf", main)]);
    symlink("/etc/hostname", folder.path().join("linked")).unwrap();
    symlink(folder.path().join("loop"), folder.path().join("loop")).unwrap();
    let nginx = Nginx::read(folder.path()).unwrap();
    assert_eq!(nginx.files, [folder.path().join("nginx.conf")]);
    let notes: Vec<String> = nginx.notes.iter().map(ToString::to_string).collect();
    for name in ["\"/etc/*\", which matches no file", "\"/etc/passwd\"", "\"linked\"", "loop\""] {
        assert!(notes.iter().any(|note| note.contains(name)), "{name}: {notes:#?}");
    }
}

#[test]
fn links_of_a_copy_lead_into_the_copy() {
    let folder = tree(&[
        ("nginx.conf", "http { include sites-enabled/*; }"),
        ("sites-available/shop", SITE),
        ("sites-enabled/.keep", ""),
    ]);
    symlink("/etc/nginx/sites-available/shop", folder.path().join("sites-enabled/shop")).unwrap();
    symlink("../sites-available/shop", folder.path().join("sites-enabled/too")).unwrap();
    assert_eq!(read_at(&folder, ""), (vec![300, 300], vec![]));
}

#[test]
fn an_absolute_name_inside_of_the_folder_is_what_it_says() {
    let folder = tree(&[("conf.d/a.conf", SITE)]);
    let main = format!("http {{ include {}/conf.d/*.conf; }}", folder.path().display());
    fs::write(folder.path().join("nginx.conf"), main).unwrap();
    assert_eq!(read_at(&folder, ""), (vec![300], vec![]));
}

#[test]
fn a_byte_order_mark_is_said_and_read_over() {
    let site = format!("\u{feff}{SITE}");
    let (seconds, notes) = read(&[("nginx.conf", "http { include a; }"), ("a", &site)]);
    assert_eq!(seconds, [300]);
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("DIR/a begins with a byte-order mark"), "{notes:?}");
}

#[test]
fn names_count_as_one_address_and_it_is_said() {
    let (_, notes) = read(&[("nginx.conf", "location / { proxy_pass http://app:8000; }")]);
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("each host name counts as one address"), "{notes:?}");
}

#[test]
fn what_nginx_printed_is_a_configuration() {
    let dump = "nginx version: nginx/1.28.0\r
nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\r
nginx: configuration file /etc/nginx/nginx.conf test is successful\r
# configuration file /etc/nginx/nginx.conf:\r
http {\r
    include /etc/nginx/mime.types;\r
    include /etc/nginx/conf.d/*.conf;\r
    include snippets/none.conf;\r
}\r
\r
# configuration file /etc/nginx/mime.types:\r
types { text/html html; }\r
# configuration file /etc/nginx/conf.d/shop.conf:\r
server { location / { proxy_read_timeout 90s; proxy_pass http://10.0.0.1; } }\r
";
    let folder = tree(&[("dump.txt", dump)]);
    let (seconds, notes) = read_at(&folder, "dump.txt");
    assert_eq!(seconds, [90]);
    assert!(
        notes[0].starts_with("/etc/nginx/nginx.conf:4 includes \"snippets/none.conf\""),
        "{notes:?}"
    );
    let nginx = Nginx::read(&folder.path().join("dump.txt")).unwrap();
    assert_eq!(nginx.version.unwrap().to_string(), "1.28.0");
}

#[test]
fn a_wrong_path_is_told_from_a_wrong_file() {
    let folder = tree(&[("empty/x", ""), ("bad/nginx.conf", "http {")]);
    let wrong = |path: &str| {
        let fault: Fault = Nginx::read(&folder.path().join(path)).unwrap_err();
        fault.is_wrong_path()
    };
    assert!(wrong("none") && wrong("empty") && !wrong("bad"));
}
