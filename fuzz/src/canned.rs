//! A DNS server without sockets: it answers every question with what the input says, so that hostile
//! answers take the very way of real ones.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hickory_net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_net::runtime::{DnsUdpSocket, RuntimeProvider, TokioHandle, TokioTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Answers in the order of the questions; the last one is given again and again.
#[derive(Clone)]
pub(crate) struct Canned {
    answers: Arc<Mutex<VecDeque<Vec<u8>>>>,
    handle: TokioHandle,
}

impl Canned {
    pub(crate) fn new(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            handle: TokioHandle::default(),
        }
    }

    /// The answer to a question's bytes; see [`answer_to`].
    pub(crate) fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let canned = match answers.len() {
            0 | 1 => answers.front()?.clone(),
            _ => answers.pop_front()?,
        };
        Some(answer_to(question, &canned))
    }
}

/// An answer that fits its question where the canned one begins with an even byte (the rest follows
/// the question that is repeated); else the canned one alone, with the question's number. Without
/// either no answer would get past the first check.
pub(crate) fn answer_to(question: &[u8], canned: &[u8]) -> Vec<u8> {
    let (how, canned) = canned.split_first().unwrap_or((&1, &[]));
    let mut answer = question.get(..2).unwrap_or_default().to_vec();
    if how % 2 == 1 {
        answer.extend(canned);
        return answer;
    }
    let (head, records) = canned.split_at(canned.len().min(8));
    answer.extend(head.iter().take(2)); // flags and code
    answer.extend([0, 1]); // one question
    answer.extend(head.iter().skip(2));
    answer.extend(asked(question));
    answer.extend(records);
    answer
}

/// The one question of a message: its name, type and class (RFC 1035 section 4.1.2).
fn asked(message: &[u8]) -> &[u8] {
    let questions = message.get(12..).unwrap_or_default();
    let mut at = 0;
    while let Some(length) = questions.get(at).filter(|length| **length != 0) {
        at += 1 + usize::from(*length);
    }
    questions.get(..at + 5).unwrap_or_default()
}

/// One exchange over what stands for UDP.
pub(crate) struct Datagrams {
    canned: Canned,
    server: SocketAddr,
    waiting: Mutex<Option<Vec<u8>>>,
}

impl DnsUdpSocket for Datagrams {
    type Time = TokioTime;

    fn poll_recv_from(
        &self,
        _: &mut Context<'_>,
        to: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing comes after the answer: whoever goes on waiting gives up by his own clock.
        let Some(answer) = waiting.take() else {
            return Poll::Pending;
        };
        let length = answer.len().min(to.len());
        to[..length].copy_from_slice(&answer[..length]);
        Poll::Ready(Ok((length, self.server)))
    }

    fn poll_send_to(
        &self,
        _: &mut Context<'_>,
        question: &[u8],
        _: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        let answer = self.canned.answer(question);
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        Poll::Ready(Ok(question.len()))
    }
}

impl RuntimeProvider for Canned {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = Datagrams;
    type Tcp = AsyncIoTokioAsStd<DuplexStream>;

    fn create_handle(&self) -> TokioHandle {
        self.handle.clone()
    }

    fn connect_tcp(
        &self,
        _: SocketAddr,
        _: Option<SocketAddr>,
        _: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        let (near, far) = tokio::io::duplex(128 * 1024);
        tokio::spawn(answer_stream(far, self.clone()));
        Box::pin(std::future::ready(Ok(AsyncIoTokioAsStd(near))))
    }

    fn bind_udp(
        &self,
        _: SocketAddr,
        server: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Datagrams>>>> {
        let socket = Datagrams {
            canned: self.clone(),
            server,
            waiting: Mutex::default(),
        };
        Box::pin(std::future::ready(Ok(socket)))
    }
}

/// Answers questions on a stream, each message behind its length (RFC 1035 section 4.2.2).
pub(crate) async fn answer_stream(mut stream: DuplexStream, canned: Canned) {
    while let Ok(length) = stream.read_u16().await {
        let mut question = vec![0; usize::from(length)];
        if stream.read_exact(&mut question).await.is_err() {
            return;
        }
        let Some(mut answer) = canned.answer(&question) else {
            return;
        };
        answer.truncate(usize::from(u16::MAX));
        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX);
        let framed = [&length.to_be_bytes()[..], &answer].concat();
        if stream.write_all(&framed).await.is_err() {
            return;
        }
    }
}
