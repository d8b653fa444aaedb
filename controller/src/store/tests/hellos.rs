//! Hellos: many in one commit are what they would be one after the other.

use super::*;
use crate::store::{HostLoad, Said};

both!(
    hellos_of_many_hosts_are_kept_together,
    an_inventory_that_is_as_it_was_changes_nothing,
    loads_of_many_hosts_are_added_together,
);

fn said(host: &str, names: &[&str], epoch_min: u64) -> Said {
    Said { hello: Hello { host: HostId::new(host).expect("valid"), ..hello(names) }, epoch_min }
}

async fn homes(store: &Store) -> Vec<(String, String)> {
    let rows = store.instances_list(None, 0).await.expect("readable").into_iter();
    rows.map(|row| (row.instance.to_string(), row.host.map(|host| host.to_string()).unwrap_or_default()))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(instance, host)| ((*instance).to_owned(), (*host).to_owned())).collect()
}

async fn hellos_of_many_hosts_are_kept_together(home: Home) {
    let store = home.open().await;
    let first = [said("h2", &["dev2", "dev3"], 7), said("h1", &["dev1"], 3)];
    let greeted = store.hosts_hello(&first.each_ref(), "c1", t(0)).await.expect("kept");
    let epochs: Vec<_> = greeted.iter().map(|greeting| greeting.session_epoch).collect();
    assert_eq!(epochs, [7, 3]);
    assert!(greeted.iter().all(|greeting| greeting.is_changed && greeting.moved.is_empty()));
    // One takes an instance from the other, which no longer lists it.
    let second = [said("h1", &["dev1", "dev3"], 3), said("h2", &["dev2"], 3)];
    let greeted = store.hosts_hello(&second.each_ref(), "c1", t(1)).await.expect("kept");
    assert_eq!((greeted[0].session_epoch, greeted[1].session_epoch), (4, 8));
    assert_eq!((&greeted[0].moved[..], &greeted[1].moved[..]), (&["dev3".to_owned()][..], &[][..]));
    assert_eq!(homes(&store).await, pairs(&[("dev1", "h1"), ("dev2", "h2"), ("dev3", "h1")]));
    let hosts = store.hosts_list().await.expect("readable");
    assert_eq!(hosts.iter().map(|host| host.instances).collect::<Vec<_>>(), [2, 1]);
    assert!(store.hosts_hello(&[], "c1", t(2)).await.expect("nothing").is_empty());
}

async fn an_inventory_that_is_as_it_was_changes_nothing(home: Home) {
    let store = home.open().await;
    let is_changed = async |said: Said| {
        let greeted = store.hosts_hello(&[&said], "c1", t(0)).await.expect("kept");
        greeted[0].is_changed
    };
    assert!(is_changed(said("h1", &["dev1", "dev2"], 1)).await);
    assert!(!is_changed(said("h1", &["dev2", "dev1"], 1)).await);
    // A cohort that is not said is the one that is known.
    let mut silent = said("h1", &["dev1", "dev2"], 1);
    silent.hello.inventory[0].cohort = String::new();
    assert!(!is_changed(silent).await);
    let mut other = said("h1", &["dev1", "dev2"], 1);
    other.hello.inventory[0].cohort = "other".into();
    assert!(is_changed(other).await);
    assert!(is_changed(said("h1", &["dev2"], 1)).await);
    assert!(is_changed(said("h1", &[], 1)).await);
    assert!(!is_changed(said("h1", &[], 1)).await);
    assert_eq!(homes(&store).await, pairs(&[("dev1", ""), ("dev2", "")]));
}

async fn loads_of_many_hosts_are_added_together(home: Home) {
    let store = home.open().await;
    let both = [said("h1", &[], 1), said("h2", &[], 1)];
    store.hosts_hello(&both.each_ref(), "c1", t(0)).await.expect("kept");
    let load = |host: &str, samples, cpu_percent_max, over_ceiling| HostLoad {
        host: HostId::new(host).expect("valid"),
        samples,
        cpu_percent_max,
        over_ceiling,
    };
    store.hosts_load_add(&[load("h2", 10, 40.5, 0), load("h1", 10, 90.0, 5)], t(1)).await.expect("kept");
    store.hosts_load_add(&[load("h1", 10, 80.0, 5), load("h2", 10, 70.25, 1)], t(2)).await.expect("kept");
    store.hosts_load_add(&[], t(3)).await.expect("nothing");
    let most = store.host_load_max(t(-3600), t(3600)).await.expect("readable");
    let most: Vec<_> = most.iter().map(|(host, most, share)| (host.as_str(), *most, *share)).collect();
    assert_eq!(most, [("h1", 90.0, 0.5), ("h2", 70.25, 0.05)]);
    let seen = store.hosts_list().await.expect("readable");
    assert!(seen.iter().all(|host| host.last_seen_at == t(2)));
}
