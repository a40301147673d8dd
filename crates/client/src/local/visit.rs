//! A product's side: it asks the service where it may not write the directory itself.

use std::time::Duration;

use muster_net::local::ask;
use muster_proto::Refusal;
use muster_proto::client::local::Request;
use muster_proto::limits::LOCAL_WAIT_SECONDS;
use muster_proto::reason::{client as reasons, config};
use muster_proto::time::Span;

use super::door;
use crate::activate::Activation;
use crate::control::{Client, Which};
use crate::sdk;

/// What shows that a directory belongs to somebody else: it cannot be written, or its secret not
/// read.
pub(crate) fn not_ours(outcome: &Result<Activation, Refusal>) -> Option<&Refusal> {
    let refusal = match outcome {
        Err(refusal) => refusal,
        Ok(activation) => &activation.reason,
    };
    let reasons = [config::FILE_UNREADABLE, config::FILE_UNWRITABLE];
    reasons.contains(&refusal.reason).then_some(refusal)
}

/// Asks the service of the client's directory for everything that `which` names. Its words say why;
/// whether a product is licensed is read from the state, as ever.
///
/// # Errors
/// `SERVICE_NONE` where no service answers; then nothing has happened. `SERVICE_BUSY`,
/// `SERVICE_SILENT`, `SERVICE_ENDED`, `SERVICE_ODD`, or what is wrong with the state.
pub(crate) async fn activate(client: &Client, which: &Which) -> Result<Activation, Refusal> {
    let none = || Refusal::new(reasons::SERVICE_NONE, client.dir().display().to_string());
    let socket = door::find(client.dir()).ok_or_else(none)?;
    let mut whole = Activation {
        dir: client.dir().to_path_buf(),
        licensed: true,
        renewed: true,
        reason: reasons::LICENSED.into(),
        products: Vec::new(),
        tried: Vec::new(),
        notes: vec![Refusal::new(
            reasons::SERVICE_ASKED,
            socket.display().to_string(),
        )],
    };
    let state = sdk::load(client.dir())?;
    for (publisher, holding) in &state.publishers {
        let products = holding.products.keys();
        for product in products.filter(|product| which.wants(*publisher, product)) {
            let request = Request {
                publisher: *publisher,
                product: product.clone(),
            };
            let wait = Duration::from_secs(LOCAL_WAIT_SECONDS);
            let answer = ask(&socket, &request, wait).await?;
            let licence = client.licence(&holding.root, product);
            if whole.licensed {
                whole.reason = match licence.licensed || answer.is_licensed() {
                    true => licence.reason,
                    false => answer.reason(),
                };
            }
            whole.licensed &= licence.licensed;
            whole.renewed &= licence.licensed && answer.asked_ago == Some(Span::ZERO);
            if let Some(ago) = answer.asked_ago.filter(|ago| *ago > Span::ZERO) {
                let detail = format!("{product}: {} s ago", ago.seconds());
                let before = Refusal::new(reasons::SERVICE_ASKED_BEFORE, detail);
                whole.notes.push(before);
            }
        }
    }
    whole.products = client.status(which)?.products;
    if whole.products.is_empty() {
        let detail = "nothing is installed in this directory";
        return Err(Refusal::new(reasons::NOT_INSTALLED, detail));
    }
    Ok(whole)
}
