//! Where people may be sent back to: the origins an admin lists for a key, and
//! the addresses on them that a link names. Nothing else is ever gone on to.

use url::{Host, Url};

use crate::{Error, Result};

/// The most origins one key may have.
const MOST: usize = 20;
/// The longest address to return to, in bytes.
const LONGEST: usize = 2000;
/// What is added to an address when its person is sent back.
pub(crate) const ADDED: [&str; 3] = ["connection_id", "reference", "status"];

/// Origins as they were typed, between blanks, commas or on lines of their own;
/// answered as they are stored, each once.
///
/// # Errors
/// [`Error::Invalid`] for `return_origins`.
pub(super) fn read_origins(typed: &str) -> Result<String> {
    let mut origins: Vec<String> = Vec::new();
    let pieces = typed.split(|letter: char| letter.is_whitespace() || letter == ',');
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        let origin = origin(piece).ok_or_else(|| {
            let what = "Enter origins like https://app.example.com, with nothing behind the name";
            Error::invalid("return_origins", what)
        })?;
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    match origins.len() <= MOST {
        true => Ok(origins.join(" ")),
        false => Err(Error::invalid(
            "return_origins",
            format!("Enter at most {MOST}"),
        )),
    }
}

/// An address on one of the `allowed` origins, which are space-separated.
///
/// # Errors
/// [`Error::Invalid`] for `return_to`.
pub(crate) fn read_return(typed: &str, allowed: &str) -> Result<Url> {
    let wrong = |what: &str| Error::invalid("return_to", what);
    let url = address(typed).ok_or_else(|| {
        wrong("Use an address like https://app.example.com/connected, without a fragment")
    })?;
    let origin = url.origin().ascii_serialization();
    if !allowed.split_whitespace().any(|one| one == origin) {
        return Err(wrong(
            "Its origin is none of those an admin listed for this key in the settings",
        ));
    }
    if url.query_pairs().any(|(name, _)| ADDED.contains(&&*name)) {
        return Err(wrong(
            "Leave out `connection_id`, `reference` and `status`: they are added",
        ));
    }
    Ok(url)
}

fn origin(typed: &str) -> Option<String> {
    let url = address(typed)?;
    let bare = url.path() == "/" && url.query().is_none();
    bare.then(|| url.origin().ascii_serialization())
}

/// An address that every reader takes for the same: what browsers would read
/// differently from what it looks like is none.
fn address(typed: &str) -> Option<Url> {
    let plain = typed.len() <= LONGEST
        && !typed.contains('\\')
        && typed.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    let url = Url::parse(typed).ok().filter(|_| plain)?;
    let safe = match (url.scheme(), url.host()?) {
        ("https", _) => true,
        ("http", Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        ("http", Host::Ipv4(address)) => address.is_loopback(),
        ("http", Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    let anonymous = url.username().is_empty() && url.password().is_none();
    (safe && anonymous && url.fragment().is_none()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_stored_as_browsers_write_them() {
        let typed = "https://APP.example.com\n https://app.example.com/, http://127.0.0.1:8080";
        assert_eq!(
            read_origins(typed).unwrap(),
            "https://app.example.com http://127.0.0.1:8080"
        );
        assert_eq!(read_origins("  \n").unwrap(), "");
        for bad in [
            "app.example.com",
            "http://app.example.com",
            "https://app.example.com/path",
            "https://app.example.com/?a=b",
            "https://ana@app.example.com",
            "https://*.example.com",
            "javascript:alert(1)",
            "data:text/html,x",
        ] {
            // A star is a letter of a name like any other, and names no host.
            let read = read_origins(bad);
            assert!(
                read.is_err() || bad.contains('*') && read.unwrap().contains('*'),
                "{bad}"
            );
        }
    }

    #[test]
    fn row_12_asvs_10_2_nobody_is_sent_anywhere_else() {
        let allowed = "https://app.example.com http://127.0.0.1:8080";
        for good in [
            "https://app.example.com",
            "https://app.example.com/done?shop=1",
            "http://127.0.0.1:8080/x",
        ] {
            read_return(good, allowed).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for bad in [
            "",
            "/done",
            "//app.example.com",
            "//evil.example",
            "https:evil.example",
            "https://evil.example",
            "https://app.example.com.evil.example/",
            "https://evil.example/https://app.example.com",
            "https://app.example.com@evil.example/",
            "https://app.example.com:443@evil.example/",
            "https://app.example.com\\@evil.example/",
            "https://evil.example\\.app.example.com/",
            "https://app.example.com:8443/",
            "http://app.example.com/",
            "https://app.example.com/#token",
            "https://app.example.com/\r\nLocation: https://evil.example",
            "https://app\u{2024}example.com/",
            "https://app%2eexample.com@evil.example/",
            "javascript:alert(1)//https://app.example.com",
            "https://app.example.com/?status=connected",
            "https://app.example.com/?connection%5fid=1",
        ] {
            assert!(read_return(bad, allowed).is_err(), "{bad}");
        }
        assert!(read_return("https://app.example.com/", "").is_err());
    }
}
