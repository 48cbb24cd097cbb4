//! A queue before anything has failed, and one that has been there for a long time.

use crate::diagnose::cause::Cause;
use crate::diagnose::facts::Facts;
use crate::diagnose::tests::scene::{Scene, Setting, Shape};
use crate::diagnose::{Diagnosis, Verdict, diagnose};

type Fault = fn(&mut Shape);

/// Nobody has said that something is wrong.
fn quiet(setting: Setting, fault: impl Fn(&mut Shape)) -> (Scene, Diagnosis) {
    let mut scene = Scene::healthy(Setting { is_known: false, ..setting });
    scene.run(|shape, _| {
        if shape.at >= 5 {
            fault(shape);
        }
    });
    let diagnosis = diagnose(&scene.evidence);
    (scene, diagnosis)
}

fn queue(shape: &mut Shape) {
    shape.delay = 28.0;
}

#[test]
fn it_is_named_before_the_first_near_miss() {
    let (scene, said) = quiet(Setting::plain(), |shape| {
        queue(shape);
        shape.traffic = 1.8;
    });
    assert_eq!((said.cause(), said.verdict), (Some(Cause::QueueingTraffic), Verdict::Findings));
    assert_eq!(said.since.unwrap().0, scene.fault().plus(5), "{}", said.text());
    assert!(said.text().contains("No request came near the idle timeout of 60 s yet."));
    let (_, said) = quiet(Setting::plain(), |shape| {
        queue(shape);
        shape.healthy = 2.0;
    });
    assert_eq!(said.cause(), Some(Cause::QueueingCapacity), "{}", said.text());
}

#[test]
fn one_that_grows_for_an_hour_began_when_the_median_moved() {
    let (scene, said) = quiet(Setting { since: 65, ..Setting::plain() }, |shape| {
        shape.traffic = 1.3;
        shape.delay = 0.5 * f64::from(i32::try_from(shape.at - 5).unwrap());
    });
    assert_eq!(said.cause(), Some(Cause::QueueingTraffic), "{}", said.text());
    // A tenth of the idle timeout above the usual.
    let since = said.since.unwrap().0.since(scene.fault());
    assert!((16..=19).contains(&since), "{since}: {}", said.text());
}

#[test]
fn what_only_looks_like_one_is_healthy() {
    let all: [(&str, f64, Fault); 4] = [
        ("slow, at normal traffic and with all targets", 20.0, queue),
        ("more traffic that nobody waits for", 20.0, |shape| shape.traffic = 2.5),
        ("a part is slow at more traffic", 20.0, |shape| {
            (shape.traffic, shape.slow) = (1.8, (0.3, 30.0, 0.1));
        }),
        ("a few requests an hour", 0.05, |shape| {
            queue(shape);
            shape.traffic = 1.8;
        }),
    ];
    for (what, rate, fault) in all {
        let (_, said) = quiet(Setting { rate, ..Setting::plain() }, fault);
        assert_eq!((said.cause(), said.verdict), (None, Verdict::Healthy), "{what}");
    }
}

#[test]
fn waves_that_always_came_are_healthy() {
    for length in [4, 8, 16, 25] {
        let setting = Setting { before: 110, is_known: false, ..Setting::plain() };
        let mut scene = Scene::healthy(setting);
        scene.run(|shape, _| {
            if shape.at.rem_euclid(40) < length {
                shape.traffic = 1.8;
                queue(shape);
            }
        });
        let said = diagnose(&scene.evidence);
        assert_eq!((said.cause(), said.verdict), (None, Verdict::Healthy), "{length}");
    }
}

#[test]
fn an_hour_of_it_is_no_usual_state() {
    let setting = Setting { before: 110, since: 20, ..Setting::plain() };
    let mut scene = Scene::healthy(setting);
    scene.run(|shape, _| {
        if shape.at >= -75 {
            queue(shape);
        }
        if shape.at >= 0 {
            shape.silent = 0.4;
        }
    });
    assert!(Facts::of(&scene.evidence).delay().is_some_and(|delay| delay > 20.0));
}
