//! Asks: a client's signed request to one host, sealed to it on the wire.

use ciborium::value::Value;

use crate::cbor::{MapReader, MapWriter};
use crate::client::LicenceState;
use crate::crypto::{PublicKey, SIGNATURE_BYTES};
use crate::hardware::ComponentTags;
use crate::ids::{Nonce, ProductId, PublisherId, StoreId, Thumbprint};
use crate::limits::{ASK_BYTES_MAX, NAME_BYTES_MAX, PRODUCTS_MAX};
use crate::reason::{Refusal, statement as reasons};
use crate::time::Timestamp;

use super::envelope::{Body, Claims, Envelope, ReadBody, confirm_key, read_confirmed_own_key};
use super::{Role, Typ};

const AUDIENCE: i64 = -1;
const NONCE: i64 = -2;
const PRODUCTS: i64 = -3;
const COMPONENTS: i64 = -4;
const PREDECESSOR: i64 = -5;
const TICKET: i64 = 1;
const BASE: i64 = 2;
const IN_VM: i64 = 3;
const VERSION: i64 = 4;
const NAME: i64 = 5;
const USER: i64 = 6;
const DECLARED: i64 = 7;

const PRODUCT_ID: i64 = -1;
const PRODUCT_STATE: i64 = -2;
const PRODUCT_MINUTES: i64 = 1;
const PRODUCT_REQUIRED: i64 = 2;

const PREDECESSOR_KEY: i64 = -1;
const PREDECESSOR_ORDER: i64 = -2;
const PREDECESSOR_SIGNATURE: i64 = -3;

/// Bytes of a ticket's or order's authentication tag.
pub const TICKET_TAG_BYTES: usize = 16;
const TICKET_BYTES: usize = 8 + 4 + TICKET_TAG_BYTES;

/// A ticket: a generation of one client at one store, and the store's proof that it gave it out.
/// An order to make a new key has the same form under another domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The store that gave it.
    pub store: StoreId,
    /// The client's generation at that store.
    pub generation: u32,
    /// HMAC under the store key.
    pub tag: [u8; TICKET_TAG_BYTES],
}

impl Ticket {
    /// Store id, generation (big-endian) and tag: 28 bytes.
    pub fn to_bytes(&self) -> [u8; TICKET_BYTES] {
        let mut bytes = [0; TICKET_BYTES];
        bytes[..8].copy_from_slice(&self.store.0);
        bytes[8..12].copy_from_slice(&self.generation.to_be_bytes());
        bytes[12..].copy_from_slice(&self.tag);
        bytes
    }

    /// Reads [`Ticket::to_bytes`].
    pub fn from_bytes(bytes: &[u8; TICKET_BYTES]) -> Self {
        let (store, rest) = bytes
            .split_first_chunk::<8>()
            .expect("28 bytes hold a store id");
        let (generation, tag) = rest
            .split_first_chunk::<4>()
            .expect("20 bytes hold a generation");
        Self {
            store: StoreId(*store),
            generation: u32::from_be_bytes(*generation),
            tag: tag.try_into().expect("the tag is what remains"),
        }
    }

    pub(crate) fn to_value(self) -> Value {
        Value::Bytes(self.to_bytes().to_vec())
    }
}

/// What is asked for one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedProduct {
    /// The product.
    pub product: ProductId,
    /// The licence state the client is in.
    pub state: LicenceState,
    /// Whole minutes left in that state, where it ends.
    pub minutes_left: Option<u64>,
    /// The count the client's policy demands.
    pub required: Option<u32>,
}

/// The key a client had before it was ordered to make a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// The old key.
    pub key: PublicKey,
    /// The order it obeys.
    pub order: Ticket,
    /// The old key's signature over [`succession`] of both keys.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// What an old key signs to name its successor; also used when a host renews its certificate.
pub fn succession(publisher: PublisherId, old: &PublicKey, new: &PublicKey) -> Vec<u8> {
    let (old, new) = (old.thumbprint(), new.thumbprint());
    [
        b"muster/v1/succession".as_slice(),
        &publisher.0,
        &old.0,
        &new.0,
    ]
    .concat()
}

/// An ask's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The name of the host certificate it is meant for; any other host refuses.
    pub audience: Thumbprint,
    /// The client's key: a point of its curve once [`Ask::open`] has checked the signature.
    pub client: PublicKey,
    /// Kept until an answer is stored: every retry, to whatever host, has the same.
    pub nonce: Nonce,
    /// All the publisher's products on the machine.
    pub products: Vec<AskedProduct>,
    /// The ticket of the host's store, if the client holds one.
    pub ticket: Option<Ticket>,
    /// The machine's component tags.
    pub components: ComponentTags,
    /// The key this one succeeds.
    pub predecessor: Option<Predecessor>,
    /// Whether a base licence was found where the policy demands one.
    pub base_licence: bool,
    /// Whether the machine is a virtual one.
    pub in_vm: bool,
    /// The asking program and its version.
    pub version: String,
    /// The machine's name, only where its administrator allows it.
    pub name: Option<String>,
    /// Whether the identity lies in a user's own directory.
    pub user_identity: bool,
    /// Whether the hardware was declared with `--sysroot`.
    pub declared: bool,
    /// The client's time.
    pub issued: Timestamp,
}

impl Ask {
    /// Opens an ask: form, self-signature, publisher, the audience, and the predecessor's proof.
    /// Returns the ask and its name, which the answer must repeat.
    pub fn open(
        bytes: &[u8],
        publisher: PublisherId,
        audience: Thumbprint,
    ) -> Result<(Ask, Thumbprint), Refusal> {
        let envelope = Envelope::decode(bytes, Typ::Ask)?;
        if envelope.publisher != publisher {
            return Err(reasons::WRONG_PUBLISHER.into());
        }
        if !envelope.chain.is_empty() || !Role::Own.may_sign(Typ::Ask) {
            return Err(Refusal::new(
                reasons::CHAIN_LENGTH,
                "an ask carries no chain",
            ));
        }
        let ask: Ask = envelope.claims()?;
        // A good signature shows that the key is a point; otherwise that is what is wrong first.
        check_own(&envelope, &ask.client)
            .map_err(|refusal| ask.client.check_point().err().unwrap_or(refusal))?;
        if ask.audience != audience {
            return Err(reasons::AUDIENCE.into());
        }
        if let Some(predecessor) = &ask.predecessor {
            predecessor
                .key
                .verify(
                    &succession(publisher, &predecessor.key, &ask.client),
                    &predecessor.signature,
                )
                .map_err(|_| Refusal::new(reasons::POSSESSION, "ask.predecessor"))?;
        }
        Ok((ask, envelope.name()))
    }
}

/// Whether an ask is signed with the key that it names.
fn check_own(envelope: &Envelope, client: &PublicKey) -> Result<(), Refusal> {
    if envelope.parent != client.thumbprint() {
        return Err(reasons::WRONG_PARENT.into());
    }
    envelope.check_signature(client)
}

impl Claims for Ask {
    const TYP: Typ = Typ::Ask;

    fn write(&self) -> Body {
        let products = self.products.iter().map(AskedProduct::to_value).collect();
        let own = MapWriter::new()
            .bytes(AUDIENCE, &self.audience.0)
            .bytes(NONCE, &self.nonce.0)
            .put(PRODUCTS, Value::Array(products))
            .put(COMPONENTS, self.components.to_value())
            .put_opt(
                PREDECESSOR,
                self.predecessor.as_ref().map(Predecessor::to_value),
            )
            .put_opt(TICKET, self.ticket.map(Ticket::to_value))
            .put_opt(BASE, self.base_licence.then_some(true))
            .put_opt(IN_VM, self.in_vm.then_some(true))
            .put(VERSION, self.version.as_str())
            .put_opt(NAME, self.name.as_deref())
            .put_opt(USER, self.user_identity.then_some(true))
            .put_opt(DECLARED, self.declared.then_some(true));
        Body {
            confirmation: Some(confirm_key(&self.client)),
            ..Body::new(self.issued, own)
        }
    }

    fn read(mut body: ReadBody) -> Result<Self, Refusal> {
        let client = read_confirmed_own_key(body.confirmation()?)?;
        let own = &mut body.own;
        let ask = Self {
            audience: Thumbprint(own.array(AUDIENCE, "audience")?),
            client,
            nonce: Nonce(own.array(NONCE, "nonce")?),
            products: own
                .list(PRODUCTS, "products", PRODUCTS_MAX)?
                .into_iter()
                .map(AskedProduct::from_value)
                .collect::<Result<_, Refusal>>()?,
            ticket: own
                .array_opt(TICKET, "ticket")?
                .map(|bytes| Ticket::from_bytes(&bytes)),
            components: ComponentTags::from_value(own.need(COMPONENTS, "components")?)?,
            predecessor: own
                .map_opt(PREDECESSOR, "predecessor")?
                .map(Predecessor::read)
                .transpose()?,
            base_licence: own.bool_or_false(BASE, "base_licence")?,
            in_vm: own.bool_or_false(IN_VM, "in_vm")?,
            version: own.line(VERSION, "version", NAME_BYTES_MAX)?,
            name: own.line_opt(NAME, "name", NAME_BYTES_MAX)?,
            user_identity: own.bool_or_false(USER, "user_identity")?,
            declared: own.bool_or_false(DECLARED, "declared")?,
            issued: body.issued,
        };
        body.finish()?;
        ask.check_products()?;
        if ask
            .predecessor
            .as_ref()
            .is_some_and(|old| old.key == ask.client)
        {
            return Err(Refusal::new(
                reasons::FIELD_WRONG,
                "ask.predecessor is the asker itself",
            ));
        }
        Ok(ask)
    }

    fn issued(&self) -> Timestamp {
        self.issued
    }
}

const _: () = assert!(ASK_BYTES_MAX < Typ::BYTES_MAX);

impl Ask {
    fn check_products(&self) -> Result<(), Refusal> {
        let wrong = |rule: &str| {
            Err(Refusal::new(
                reasons::FIELD_WRONG,
                format!("ask.products {rule}"),
            ))
        };
        if self.products.is_empty() {
            return wrong("is empty");
        }
        let ids: Vec<_> = self.products.iter().map(|asked| &asked.product).collect();
        if ids.windows(2).any(|pair| pair[0] >= pair[1]) {
            return wrong("is not in ascending order of ids");
        }
        Ok(())
    }
}

impl AskedProduct {
    fn to_value(&self) -> Value {
        MapWriter::new()
            .put(PRODUCT_ID, self.product.as_str())
            .put(PRODUCT_STATE, self.state.number())
            .put_opt(PRODUCT_MINUTES, self.minutes_left)
            .put_opt(PRODUCT_REQUIRED, self.required)
            .into_value()
    }

    fn from_value(value: Value) -> Result<Self, Refusal> {
        let mut map = MapReader::new("ask.product", value)?;
        let state = map.uint(PRODUCT_STATE, "state")?;
        let required = match map.uint_opt(PRODUCT_REQUIRED, "required")? {
            None => None,
            Some(count) => Some(u32::try_from(count).map_err(|_| {
                Refusal::new(
                    reasons::FIELD_WRONG,
                    "ask.product.required does not fit 32 bits",
                )
            })?),
        };
        let asked = Self {
            product: map.id(PRODUCT_ID, "id")?,
            state: LicenceState::from_number(state)
                .ok_or_else(|| Refusal::new(reasons::FIELD_WRONG, "ask.product.state"))?,
            minutes_left: map.uint_opt(PRODUCT_MINUTES, "minutes_left")?,
            required,
        };
        map.finish()?;
        Ok(asked)
    }
}

impl Predecessor {
    fn to_value(&self) -> Value {
        MapWriter::new()
            .put(PREDECESSOR_KEY, self.key.to_value())
            .put(PREDECESSOR_ORDER, self.order.to_value())
            .bytes(PREDECESSOR_SIGNATURE, &self.signature)
            .into_value()
    }

    fn read(mut map: MapReader) -> Result<Self, Refusal> {
        let predecessor = Self {
            key: PublicKey::from_value(map.need(PREDECESSOR_KEY, "key")?)?,
            order: Ticket::from_bytes(&map.array(PREDECESSOR_ORDER, "order")?),
            signature: map.array(PREDECESSOR_SIGNATURE, "signature")?,
        };
        map.finish()?;
        Ok(predecessor)
    }
}
