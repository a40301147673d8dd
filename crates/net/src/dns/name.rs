//! DNS names as muster writes them: parsed strictly, shown in lower case without the final dot.

use hickory_proto::rr::Name;
use muster_proto::Refusal;
use muster_proto::reason::dns as reason;

/// Parses a full name; a final dot is welcome but not needed.
pub(crate) fn full(text: &str) -> Result<Name, Refusal> {
    let mut name = relative(text)?;
    name.set_fqdn(true);
    Ok(name)
}

/// A full name as muster writes it: lower case, without the final dot.
///
/// # Errors
/// `DNS_NAME_INVALID` with the rule that it breaks.
pub fn check_name(name: &str) -> Result<String, Refusal> {
    full(name).map(|name| text(&name))
}

/// Parses a name to which the search list may still be applied.
pub(crate) fn relative(text: &str) -> Result<Name, Refusal> {
    let invalid = |rule: &str| Refusal::new(reason::DNS_NAME_INVALID, format!("{text:?}: {rule}"));
    if text.is_empty() || text == "." {
        return Err(invalid("it is empty"));
    }
    if text.len() > 254 {
        return Err(Refusal::new(
            reason::DNS_NAME_INVALID,
            format!("{} characters, at most 253 are allowed", text.len()),
        ));
    }
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || c == '\\')
    {
        return Err(invalid(
            "it holds a space, a control character or a backslash",
        ));
    }
    Name::from_utf8(text).map_err(|error| invalid(&error.to_string()))
}

/// The name in lower case, without the final dot.
pub(crate) fn text(name: &Name) -> String {
    let mut text = name.to_lowercase().to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}
