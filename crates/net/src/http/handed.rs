//! A connection's stream as hyper is given it: first the bytes that were read before, then, for one
//! whole request, nothing until it is answered, and then an end. So hyper serves that request and is
//! done, and the stream is there for the next one.
//!
//! An answer must be taken within its time from when the peer first kept it waiting: the kernel gives a
//! peer up that acknowledges nothing, but not one that goes on sending and reads nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A stream with something before it.
pub(super) struct Handed<'a, S> {
    before: Bytes,
    stream: &'a mut S,
    /// What is behind `before` is another request's.
    is_whole: bool,
    /// Everything that was written has gone out.
    is_answered: bool,
    is_written: bool,
    reader: Option<Waker>,
    write_timeout: Duration,
    /// Runs while an answer waits for its peer.
    overdue: Option<Pin<Box<Sleep>>>,
}

impl<'a, S> Handed<'a, S> {
    /// One whole request.
    pub(super) fn whole(request: Bytes, stream: &'a mut S, write_timeout: Duration) -> Self {
        Self {
            before: request,
            stream,
            is_whole: true,
            is_answered: false,
            is_written: false,
            reader: None,
            write_timeout,
            overdue: None,
        }
    }

    /// The stream to its end.
    pub(super) fn rest(before: Bytes, stream: &'a mut S, write_timeout: Duration) -> Self {
        Self {
            is_whole: false,
            ..Self::whole(before, stream, write_timeout)
        }
    }

    /// What came of a write; an error where the answer has waited too long.
    fn in_time(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            return written;
        }
        let limit = self.write_timeout;
        let overdue = self.overdue.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(overdue.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Handed<'_, S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.before.is_empty() {
            let length = this.before.len().min(into.remaining());
            into.put_slice(&this.before.split_to(length));
            return Poll::Ready(Ok(()));
        }
        if !this.is_whole {
            return Pin::new(&mut *this.stream).poll_read(context, into);
        }
        if this.is_answered {
            return Poll::Ready(Ok(()));
        }
        this.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Handed<'_, S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        (this.is_written, this.is_answered) = (true, false);
        let written = Pin::new(&mut *this.stream).poll_write(context, bytes);
        this.in_time(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        (this.is_written, this.is_answered) = (true, false);
        let written = Pin::new(&mut *this.stream).poll_write_vectored(context, parts);
        this.in_time(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Hyper flushes when it has nothing left to write.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut *this.stream).poll_flush(context))?;
        this.is_answered = this.is_written;
        this.overdue = None;
        if let Some(reader) = this.reader.take_if(|_| this.is_answered) {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_whole {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut *this.stream).poll_shutdown(context)
    }
}
