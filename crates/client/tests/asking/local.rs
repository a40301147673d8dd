//! The service's door: products without privileges come in, cause an ask or share one, and are told
//! what came of it; the directory leads to it, and what it leaves behind does no harm.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_client::{Client, LicenceState, Options, Product, ServiceEvent, Which};
use muster_net::local::ask;
use muster_proto::client::local::{Answer, Request};
use muster_proto::reason::client as reasons;
use muster_proto::statement::policy::Method;
use muster_proto::time::Span;

use crate::estate::Publisher;
use crate::sdk::present;
use crate::stub::{Machine, Mode, Stub, key};

const WAIT: Duration = Duration::from_secs(30);

/// A running service on a machine's directory; what it tells is of no interest here.
struct Serving {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Serving {
    /// Serves from a client of its own, which shares nothing but the directory and the clocks.
    fn start(options: Options) -> Self {
        let client = Client::new(options);
        let door = client.open_door(None).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            let on = |_: ServiceEvent| {};
            client.serve(Some(door), on, stopped).await.unwrap();
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

fn options(machine: &Machine) -> Options {
    Options {
        sysroot: Some(machine.root.path().join("sysroot")),
        clock: machine.clock.clone(),
        ..Options::new(machine.client.dir())
    }
}

/// Asks at the end of the link, as a product does.
async fn visit(dir: &Path, publisher: &Publisher, product: &str) -> Answer {
    let socket = dir.join(fs::read_link(dir.join("service")).unwrap());
    let request = Request {
        publisher: publisher.root.publisher(),
        product: product.parse().unwrap(),
    };
    for _ in 0..500 {
        let answer = ask(&socket, &request, WAIT).await.unwrap();
        if answer.reason().reason != reasons::SERVICE_BUSY {
            return answer;
        }
        // A test is quicker than one user may be.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the service stays busy");
}

/// Waits until the service has asked by its own schedule for the first time.
async fn first_ask(stub: &Stub) {
    for _ in 0..3_000 {
        if !stub.asks().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the service has not asked");
}

#[tokio::test]
async fn visitors_share_one_ask_and_are_told_again_within_a_minute() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    stub.with(|script| script.count = Some(4));
    let serving = Serving::start(options(&machine));
    let dir = machine.client.dir();
    first_ask(&stub).await;
    let told = visit(dir, &publisher, "cad").await;
    assert_eq!(told.state, Some(LicenceState::Unlicensed));
    assert_eq!(told.reason().reason, reasons::COUNT_BELOW);
    assert_eq!(stub.asks().len(), 1, "the schedule's ask was a moment ago");

    // A minute later one ask is allowed, and all who come meanwhile share it.
    machine.clock.pass(Span::from_seconds(60));
    stub.with(|script| script.count = Some(5));
    let visits = (0..8).map(|_| visit(dir, &publisher, "cad"));
    for answer in join_all(visits).await {
        assert_eq!(answer.state, Some(LicenceState::Licensed), "{answer:?}");
        assert_eq!(answer.reason().reason, reasons::LICENSED);
    }
    assert_eq!(stub.asks().len(), 2);
    machine.clock.pass(Span::from_seconds(59));
    let again = visit(dir, &publisher, "cad").await;
    assert!(again.is_licensed());
    assert_eq!(again.asked_ago, Some(Span::from_seconds(59)));
    assert_eq!(stub.asks().len(), 2);
    machine.clock.pass(Span::from_seconds(1));
    let fresh = visit(dir, &publisher, "cad").await;
    assert_eq!(fresh.asked_ago, Some(Span::ZERO));
    assert_eq!(stub.asks().len(), 3);
    serving.stop().await;
    assert!(!dir.join("client.sock").exists());
    assert!(!dir.join("service").is_symlink());
}

/// All at once: none waits for another to be done.
async fn join_all<F>(futures: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future,
{
    let mut waiting: Vec<_> = futures.map(Box::pin).map(Some).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        for slot in &mut waiting {
            let Some(future) = slot else { continue };
            if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
                done.push(output);
                *slot = None;
            }
        }
        match waiting.iter().all(Option::is_none) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done
}

#[tokio::test]
async fn nobody_hammers_a_host_through_the_service() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    stub.with(|script| script.count = Some(4));
    let serving = Serving::start(options(&machine));
    first_ask(&stub).await;
    // Half an hour, a visit each ten seconds. The schedule retries after two hours.
    for _ in 0..180 {
        machine.clock.pass(Span::from_seconds(10));
        let answer = visit(machine.client.dir(), &publisher, "cad").await;
        assert_eq!(answer.reason().reason, reasons::COUNT_BELOW);
    }
    assert_eq!(stub.asks().len(), 12);
    serving.stop().await;
}

#[tokio::test]
async fn what_is_not_installed_or_not_allowed_is_never_asked_for() {
    let (publisher, other) = (Publisher::new(1), Publisher::new(60));
    let stub = Stub::start(&publisher.host(9));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    machine.client.set_method(Some(Method::Directory)).unwrap();
    let serving = Serving::start(options(&machine));
    let dir = machine.client.dir();
    for (publisher, product) in [(&publisher, "cam"), (&other, "cad")] {
        let answer = visit(dir, publisher, product).await;
        assert_eq!(answer.reason().reason, reasons::NOT_INSTALLED);
        assert_eq!(answer.state, None);
    }
    for _ in 0..3 {
        let answer = visit(dir, &publisher, "cad").await;
        assert_eq!(answer.reason().reason, reasons::METHOD_NOT_ALLOWED);
        assert_eq!(answer.state, Some(LicenceState::Unlicensed));
    }
    assert!(stub.asks().is_empty());
    serving.stop().await;
}

#[tokio::test]
async fn a_host_that_fails_is_named_to_the_visitor() {
    let publisher = Publisher::new(1);
    let stub = Stub::start(&publisher.host(9));
    stub.mode(Mode::Status(404));
    let machine = Machine::installed(&publisher, &publisher.policy("cad"), &[&stub]);
    let serving = Serving::start(options(&machine));
    let answer = visit(machine.client.dir(), &publisher, "cad").await;
    let reason = answer.reason();
    assert_eq!(reason.reason, reasons::HOST_STATUS);
    assert!(reason.detail.contains(&stub.place()), "{reason}");
    serving.stop().await;
}

/// The machine's directory as a user sees it who may not write there: root may write everywhere, so
/// this one is made of links, and of folders in the places of new files.
fn as_a_user_sees(dir: &Path, at: &Path) -> PathBuf {
    let seen = at.join("seen");
    fs::create_dir_all(seen.join("state.new")).unwrap();
    fs::create_dir(seen.join("identity.new")).unwrap();
    symlink(dir.join("state"), seen.join("state")).unwrap();
    symlink(dir.join("client.sock"), seen.join("service")).unwrap();
    seen
}

#[tokio::test]
async fn a_product_activates_by_the_service_and_by_itself_only_where_none_runs() {
    let (publisher, policy) = present();
    let now = muster_machine::clock::now();
    let stub = Stub::start(&publisher.host_at(9, "berlin", now));
    stub.with(|script| script.now = now);
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("machine");
    let client = Client::new(Options::new(&dir));
    let bundle = publisher.bundle(&policy, &[]).encode();
    let key = key(
        &publisher,
        muster_proto::key::Channel::GenericVolume,
        &policy,
    );
    client.install_key(&key, &bundle, None).unwrap();
    let place = [stub.place().parse().unwrap()];
    client.set_host(&place, &Which::default()).unwrap();
    let product = Product::new(publisher.root.clone(), "cad".parse().unwrap());
    let (seen, own) = (as_a_user_sees(&dir, temp.path()), temp.path().join("own"));
    let dirs = [seen.clone(), own.clone()];

    // The service asks; nothing is written for the user.
    stub.with(|script| script.count = Some(4));
    let serving = Serving::start(Options::new(&dir));
    let licence = muster_client::activate_from(&dirs, &product).await;
    assert_eq!(licence.reason.reason, reasons::COUNT_BELOW, "{licence}");
    assert_eq!(licence.dir.as_ref(), Some(&seen));
    assert!(!own.exists());
    let by_service = Client::new(Options::new(&seen));
    let told = by_service.activate(&Which::default()).await.unwrap();
    assert!(!told.licensed && !told.renewed && told.tried.is_empty());
    let notes: Vec<_> = told.notes.iter().map(|note| note.reason).collect();
    assert_eq!(notes[0], reasons::SERVICE_ASKED);
    let asks = stub.asks();
    assert!(asks.iter().all(|ask| ask.client == asks[0].client));
    serving.stop().await;

    // Without one, in the user's own directory, under an identity of its own.
    stub.with(|script| script.count = Some(5));
    let licence = muster_client::activate_from(&dirs, &product).await;
    assert_eq!(licence.reason.reason, reasons::HOST_NONE, "{licence}");
    let own_client = Client::new(Options::new(&own));
    own_client.set_host(&place, &Which::default()).unwrap();
    let licence = muster_client::activate_from(&dirs, &product).await;
    assert!(licence.licensed, "{licence}");
    assert_eq!(licence.dir, Some(own));
    assert_ne!(stub.asks().last().unwrap().client, asks[0].client);
}

#[tokio::test]
async fn a_service_that_answers_nothing_is_no_reason_to_go_alone() {
    let publisher = Publisher::new(1);
    let machine = Machine::new();
    machine.install(&publisher, &publisher.policy("cad"));
    let dir = machine.client.dir();
    let seen = as_a_user_sees(dir, machine.root.path());
    let own = machine.root.path().join("own");
    let listener = UnixListener::bind(dir.join("client.sock")).unwrap();
    let ends = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let product = Product::new(publisher.root.clone(), "cad".parse().unwrap());
    let licence = muster_client::activate_from(&[seen, own.clone()], &product).await;
    assert_eq!(licence.reason.reason, reasons::SERVICE_ENDED);
    assert!(!own.exists());
    ends.join().unwrap();
}

#[tokio::test]
async fn the_directory_leads_to_the_socket_wherever_it_lies() {
    let machine = Machine::new();
    let (dir, run) = (machine.client.dir(), machine.root.path().join("run/muster"));
    let door = machine.client.open_door(Some(&run)).unwrap();
    assert_eq!(door.path(), run.join("client.sock"));
    assert_eq!(fs::read_link(dir.join("service")).unwrap(), door.path());
    // Killed: nothing is tidied up. The next one finds a dead socket and a link to it.
    let left = [run.join("client.sock"), dir.join("service")];
    drop(door);
    drop(UnixListener::bind(&left[0]).unwrap());
    symlink(&left[0], &left[1]).unwrap();
    let door = machine.client.open_door(None).unwrap();
    assert_eq!(fs::read_link(&left[1]).unwrap(), Path::new("client.sock"));
    let refusal = machine.client.open_door(None).unwrap_err();
    assert_eq!(refusal.reason, reasons::SOCKET_TAKEN);
    assert!(left[1].is_symlink(), "the other one's link stays");
    drop(door);
    assert!(!left[1].is_symlink());
}

#[test]
fn a_file_in_the_place_of_the_link_is_never_removed() {
    let machine = Machine::new();
    let dir = machine.client.dir();
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("service"), b"somebody's").unwrap();
    let refusal = machine.client.open_door(None).unwrap_err();
    assert_eq!(refusal.reason, reasons::SOCKET_OTHER_FILE);
    assert_eq!(fs::read(dir.join("service")).unwrap(), b"somebody's");
    assert!(!dir.join("client.sock").exists(), "no door is left open");
}
