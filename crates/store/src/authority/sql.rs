//! The tables of an authority in SQL, written once for every database.
//!
//! A table's name begins with `@`, in whose place a database may put a prefix; parameters are
//! numbered, `?1`. What a database must offer is [`Engine`], and no more: no sequences (a number is
//! one above the highest, in a serialisable transaction), no advisory locks, no triggers. The limits
//! of a product key are kept by the statement that takes a place, whatever was decided before.

pub(super) mod rows;
mod tables;

use muster_proto::Refusal;

use rows::number;

/// A database within one transaction.
pub(super) trait Engine {
    /// Runs a statement; gives back how many rows it wrote.
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Refusal>;

    /// Runs a query and hands over its rows in order.
    fn query(
        &self,
        sql: &str,
        values: &[Value<'_>],
        row: &mut dyn FnMut(&dyn Columns) -> Result<(), Refusal>,
    ) -> Result<(), Refusal>;
}

/// A parameter of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A whole number, or nothing.
    Int(Option<i64>),
    Text(&'a str),
    /// Bytes, or nothing.
    Bytes(Option<&'a [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(value: Option<&'a [u8]>) -> Self {
        Self::Bytes(value)
    }
}

/// The columns of a row, counted from 0.
///
/// Each refuses with `ROW_UNREADABLE` what is of another type.
pub(super) trait Columns {
    fn int_opt(&self, at: usize) -> Result<Option<i64>, Refusal>;
    fn text(&self, at: usize) -> Result<String, Refusal>;
    fn bytes_opt(&self, at: usize) -> Result<Option<Vec<u8>>, Refusal>;

    fn int(&self, at: usize) -> Result<i64, Refusal> {
        self.int_opt(at)?
            .ok_or_else(|| rows::unreadable(at, "it is null"))
    }

    fn bytes(&self, at: usize) -> Result<Vec<u8>, Refusal> {
        self.bytes_opt(at)?
            .ok_or_else(|| rows::unreadable(at, "it is null"))
    }
}

/// The tables within one transaction of a database.
pub(super) struct SqlTables<'a, E>(pub(super) &'a E);

impl<E: Engine> SqlTables<'_, E> {
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Refusal> {
        self.0.execute(sql, values)
    }

    fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&dyn Columns) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        let mut all = Vec::new();
        self.0.query(sql, values, &mut |row| {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The only row of a query that gives at most one.
    fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl Fn(&dyn Columns) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        Ok(self.all(sql, values, read)?.pop())
    }

    /// Whether a query gives a row.
    fn is_there(&self, sql: &str, values: &[Value<'_>]) -> Result<bool, Refusal> {
        Ok(self.one(sql, values, |_| Ok(()))?.is_some())
    }

    /// A number that a query always gives, such as a maximum; 0 where it gives none.
    fn figure(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Refusal> {
        let figure = self.one(sql, values, |row| row.int_opt(0))?;
        Ok(figure.flatten().map_or(0, number))
    }
}
