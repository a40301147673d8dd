//! Tests of the authority's store on its files.
#![expect(clippy::unwrap_used, reason = "a test whose store fails has failed")]

#[path = "../shared/tears.rs"]
mod tears;
mod torn;

mod common {
    //! What the course that both roles share asks for.

    pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }
}
