//! The local socket between the machine's service and products without privileges: the service's
//! side is [`door`] and [`desk`], a product's is [`visit`].

pub(crate) mod desk;
pub(crate) mod door;
pub(crate) mod visit;

use muster_proto::ids::ProductId;
use muster_proto::statement::root::Root;

use crate::control::Client;
use crate::sdk::{self, Licence, Product};

impl Client {
    /// A product's licence, as this client's directory, hardware and clocks have it.
    fn licence(&self, root: &Root, product: &ProductId) -> Licence {
        let product = Product::new(root.clone(), product.clone());
        sdk::read_with(self.dir(), &product, self.machine(), self.vault().clock())
    }
}
