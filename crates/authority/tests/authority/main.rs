//! The authority as a publisher and a host meet it: real directories, real sockets, processes that
//! are killed.

#[cfg(test)]
mod ceremony;
#[cfg(test)]
mod certify;
#[cfg(test)]
mod common;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod http;
#[cfg(test)]
mod keys;
