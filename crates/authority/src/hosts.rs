//! Hosts that were certified: listed, revoked.

use muster_proto::Refusal;
use muster_proto::authority::HostNumber;
use muster_proto::limits::LIST_ROWS_MAX;
use muster_proto::time::Timestamp;
use muster_store::authority::{AuthorityStore, HostReport, Tables, host_report, host_reports, ops};

use crate::Authority;

impl<S: AuthorityStore> Authority<S> {
    /// Hosts after a number, in order, at most `limit` and never more than a page.
    pub async fn hosts(&self, after: HostNumber, limit: usize) -> Result<Vec<HostReport>, Refusal> {
        let read =
            move |tables: &mut dyn Tables| host_reports(tables, after, limit.min(LIST_ROWS_MAX));
        self.store.view(read).await
    }

    /// A host.
    ///
    /// # Errors
    /// `HOST_UNKNOWN`.
    pub async fn host(&self, host: HostNumber) -> Result<HostReport, Refusal> {
        let read = move |tables: &mut dyn Tables| host_report(tables, host);
        self.store.view(read).await
    }

    /// Revokes a host: its keys join the revocation list, and its places are free again. Twice
    /// changes nothing.
    ///
    /// # Errors
    /// `HOST_UNKNOWN`. When the list cannot be signed now the host is revoked all the same, and the
    /// list is signed the next time somebody asks for it.
    pub async fn revoke_host(
        &self,
        host: HostNumber,
        now: Timestamp,
    ) -> Result<HostReport, Refusal> {
        let revoke = move |tables: &mut dyn Tables| {
            ops::revoke_host(tables, host, now)?;
            host_report(tables, host)
        };
        let report = self.store.change(revoke).await?;
        self.deltas(now).await?;
        Ok(report)
    }
}
