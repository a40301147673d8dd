//! One question or update to one DNS server over TCP, signed with TSIG where a key is given.
//!
//! TCP for every exchange, though UDP would do for small ones: a source address cannot be forged,
//! nothing is truncated, a silent server is told from a lost packet without retries, and an update
//! is sent exactly once. It costs one round trip, once a day.
//!
//! The bytes are handled here and not by hickory's client because that one reports a rejected key
//! as a defect of its own and hides the TSIG error code, which a person needs.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::TSigner;
use hickory_proto::rr::rdata::tsig::{TSIG, TsigError};
use muster_proto::limits::DNS_UPDATE_SECONDS;
use muster_proto::reason::dns as reason;
use muster_proto::{Reason, Refusal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection to a DNS server; each exchange on it is bounded in time.
pub(super) struct Exchange<S = TcpStream> {
    stream: S,
    server: SocketAddr,
}

impl Exchange {
    /// Connects to the first server that accepts.
    pub(super) async fn connect(servers: &[SocketAddr]) -> Result<Self, Refusal> {
        let mut last = Refusal::from(reason::DNS_ZONE_SERVER_UNKNOWN);
        for &server in servers {
            match bounded(server, TcpStream::connect(server)).await {
                Ok(stream) => return Ok(Self { stream, server }),
                Err(refusal) => last = refusal,
            }
        }
        Err(last)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    /// Exchanges over a stream that leads to a server already.
    pub(super) fn over(stream: S, server: SocketAddr) -> Self {
        Self { stream, server }
    }

    /// Asks without a signature; the answer is whatever came, its code included.
    pub(super) async fn ask(&mut self, message: &Message) -> Result<Message, Refusal> {
        let request = encode(message)?;
        let answer = bounded(self.server, roundtrip(&mut self.stream, &request)).await?;
        self.decode(message, &answer)
    }

    /// Sends an update signed at `now` (seconds since 1970) and checks the signature of the
    /// answer. Success is `NOERROR` under a valid signature and nothing else.
    pub(super) async fn update(
        &mut self,
        mut message: Message,
        signer: &TSigner,
        now: u64,
    ) -> Result<(), Refusal> {
        let malformed = |what: String| self.refusal(reason::DNS_MALFORMED, &what);
        let mut verifier = message
            .finalize(signer, now)
            .map_err(|error| malformed(error.to_string()))?
            .ok_or_else(|| self.refusal(reason::DNS_UPDATE_UNVERIFIED, "the update is unsigned"))?;
        let request = encode(&message)?;
        let bytes = bounded(self.server, roundtrip(&mut self.stream, &request)).await?;
        let answer = self.decode(&message, &bytes)?;
        self.judge_signature_error(&answer)?;
        // A refusal may be unsigned (BIND signs it, others do not): it changes nothing, so whoever
        // forges one gains no more than by dropping the answer.
        self.judge_code(answer.metadata.response_code)?;
        let signed_after_1970 = answer
            .signature()
            .is_some_and(|tsig| tsig.data.time >= u64::from(tsig.data.fudge));
        if !signed_after_1970 {
            return Err(self.refusal(reason::DNS_UPDATE_UNVERIFIED, "the answer is not signed"));
        }
        verifier
            .verify(&bytes)
            .map(drop)
            .map_err(|error| self.refusal(reason::DNS_UPDATE_UNVERIFIED, &error.to_string()))
    }

    fn judge_signature_error(&self, answer: &Message) -> Result<(), Refusal> {
        let Some(tsig) = answer.signature() else {
            return Ok(());
        };
        match tsig.data.error {
            None | Some(TsigError::Unknown(0)) => Ok(()),
            Some(TsigError::BadSig) => Err(self.refusal(
                reason::TSIG_KEY_REJECTED,
                "BADSIG: the server knows the key's name but has another secret or algorithm",
            )),
            Some(TsigError::BadKey) => Err(self.refusal(
                reason::TSIG_KEY_REJECTED,
                "BADKEY: the server knows no key of this name and algorithm",
            )),
            Some(TsigError::BadTime) => {
                Err(self.refusal(reason::TSIG_CLOCK, &clocks_differ(&tsig.data)))
            }
            Some(error) => {
                Err(self.refusal(reason::TSIG_KEY_REJECTED, &format!("TSIG error {error:?}")))
            }
        }
    }

    fn judge_code(&self, code: ResponseCode) -> Result<(), Refusal> {
        let reason = match code {
            ResponseCode::NoError => return Ok(()),
            ResponseCode::Refused => reason::DNS_UPDATE_REFUSED,
            ResponseCode::NotAuth | ResponseCode::NotZone => reason::DNS_UPDATE_NOT_ZONE,
            ResponseCode::BADSIG | ResponseCode::BADKEY => reason::TSIG_KEY_REJECTED,
            ResponseCode::BADTIME => reason::TSIG_CLOCK,
            _ => reason::DNS_UPDATE_FAILED,
        };
        Err(self.refusal(reason, &code.to_string()))
    }

    fn decode(&self, request: &Message, bytes: &[u8]) -> Result<Message, Refusal> {
        let answer = Message::from_vec(bytes)
            .map_err(|error| self.refusal(reason::DNS_MALFORMED, &error.to_string()))?;
        if answer.metadata.id != request.metadata.id {
            return Err(self.refusal(reason::DNS_MALFORMED, "it answers another question"));
        }
        Ok(answer)
    }

    fn refusal(&self, reason: Reason, detail: &str) -> Refusal {
        Refusal::new(reason, format!("server {}: {detail}", self.server))
    }
}

/// A BADTIME answer carries the client's time and the server's own (RFC 8945 section 5.2.3).
fn clocks_differ(tsig: &TSIG) -> String {
    let Ok(server): Result<[u8; 6], _> = tsig.other.as_slice().try_into() else {
        return "BADTIME".to_owned();
    };
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&server);
    let server = u64::from_be_bytes(bytes);
    let which = if server < tsig.time {
        "behind"
    } else {
        "ahead of"
    };
    let seconds = server.abs_diff(tsig.time);
    format!("BADTIME: its clock is {seconds} seconds {which} this machine's")
}

fn encode(message: &Message) -> Result<Vec<u8>, Refusal> {
    let failed = |what: String| Refusal::new(reason::DNS_HOST_RECORDS_INVALID, what);
    let bytes = message
        .to_vec()
        .map_err(|error| failed(error.to_string()))?;
    let length = u16::try_from(bytes.len())
        .map_err(|_| failed("more than 65,535 bytes in one message".to_owned()))?;
    // RFC 7766 section 8: length and message in one write.
    let mut framed = Vec::with_capacity(2 + bytes.len());
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(&bytes);
    Ok(framed)
}

async fn roundtrip<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &[u8],
) -> io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

async fn bounded<T>(
    server: SocketAddr,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, Refusal> {
    let limit = Duration::from_secs(DNS_UPDATE_SECONDS);
    let (reason, detail) = match tokio::time::timeout(limit, step).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => (
            reason::DNS_MALFORMED,
            "it closed the connection without an answer".to_owned(),
        ),
        Ok(Err(error)) => (reason::DNS_UNREACHABLE, error.to_string()),
        Err(_) => (
            reason::DNS_SILENT,
            format!("no answer within {DNS_UPDATE_SECONDS} seconds"),
        ),
    };
    Err(Refusal::new(reason, format!("server {server}: {detail}")))
}
