//! Object storage: one signed request lists the bucket (AWS Signature
//! Version 4, <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//! The secret key itself never travels.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Talk, count, note, unreadable};
use crate::{
    certificate,
    dialect::{Sample, sample::ROWS, trial::Step},
    failure::{Failure, FailureCode},
    outbound::{NotSent, Request, SendError},
};

struct Object {
    key: String,
    size: String,
    modified: String,
}

pub(super) async fn try_out(talk: &mut Talk<'_, '_>) -> Result<(), Failure> {
    let objects = list(talk).await?;
    talk.progress.passed(Step::SignIn, None);
    talk.progress.passed(Step::Permissions, None);
    let text = match objects.len() {
        0 => "The bucket is empty".to_owned(),
        some => format!("Saw {}", count(some, "object")),
    };
    talk.progress.passed(Step::Sample, note(text));
    Ok(())
}

pub(super) async fn sample(talk: &mut Talk<'_, '_>) -> Result<Sample, Failure> {
    let rows = list(talk)
        .await?
        .into_iter()
        .map(|object| {
            [object.key, object.size, object.modified]
                .map(Some)
                .to_vec()
        })
        .collect();
    let names = ["key", "size", "modified"].map(str::to_owned).to_vec();
    Ok(Sample::new(names, rows))
}

/// The first objects in the bucket.
async fn list(talk: &mut Talk<'_, '_>) -> Result<Vec<Object>, Failure> {
    let (endpoint, is_amazons) = match talk.get("endpoint") {
        "" => (
            format!("https://s3.{}.amazonaws.com", talk.get("region")),
            true,
        ),
        own => (own.to_owned(), false),
    };
    // The bucket stands in the path: a dot in its name would not fit into the
    // certificate of a host.
    let address = format!(
        "{endpoint}/{}?list-type=2&max-keys={ROWS}",
        talk.get("bucket")
    );
    let not_an_address = || Failure::inferred(FailureCode::AccountOrTargetMismatch, "host");
    let url = Url::parse(&address).map_err(|_| not_an_address())?;
    let signature = Signature {
        key_id: talk.get("access_key_id"),
        secret: talk.get("secret_access_key"),
        region: talk.get("region"),
        at: talk.dialect.clock.now(),
    };
    let headers = signature.headers("GET", &url, &[]);
    let is_encrypted = url.scheme() == "https";
    let sent = talk.dialect.outbound.send(Request {
        method: Method::GET,
        url,
        headers,
        body: None,
    });
    let sent = sent.await;
    // Those that fail at the certificate or later have been reached.
    if !matches!(
        sent,
        Err(SendError::NotSent(
            NotSent::AddressNotAllowed
                | NotSent::HttpsRequired
                | NotSent::Dns
                | NotSent::NoSuchHost
                | NotSent::Connect
        ))
    ) {
        talk.progress.passed(Step::Reach, None);
    }
    if !matches!(sent, Err(SendError::NotSent(_))) {
        match is_encrypted {
            true => talk.progress.passed(Step::Encryption, None),
            false => talk.progress.not_needed(Step::Encryption),
        }
    }
    let answer = sent.map_err(SendError::failure)?;
    if !is_amazons {
        talk.certificate = certificate::of_server(answer.shown.as_slice(), None);
    }
    let body = String::from_utf8_lossy(&answer.body);
    if !answer.status.is_success() {
        let status = answer.status.as_u16().to_string();
        let code = element(&body, "Code").map(|(code, _)| plain(code));
        let text = element(&body, "Message").map(|(text, _)| plain(text));
        let codes: Vec<&str> = code.as_deref().into_iter().chain([&*status]).collect();
        return Err(talk.refused(&codes, &text.unwrap_or_default()));
    }
    let Some((_, _)) = element(&body, "Name") else {
        return Err(unreadable());
    };
    let mut objects = Vec::new();
    let mut rest = &*body;
    while let Some((object, behind)) = element(rest, "Contents") {
        let part = |name| element(object, name).map_or(String::new(), |(text, _)| plain(text));
        objects.push(Object {
            key: part("Key"),
            size: part("Size"),
            modified: part("LastModified"),
        });
        rest = behind;
    }
    objects.truncate(ROWS);
    Ok(objects)
}

/// What the first element of that name holds, and what follows it. S3 nests
/// none in itself and puts no attributes on these.
fn element<'x>(xml: &'x str, name: &str) -> Option<(&'x str, &'x str)> {
    let (_, behind) = xml.split_once(&format!("<{name}>"))?;
    behind.split_once(&format!("</{name}>"))
}

/// Text without its escapes.
fn plain(text: &str) -> String {
    let mut text = text.to_owned();
    // The ampersand comes last, or it would make new escapes.
    for (escape, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(escape, character);
    }
    text
}

/// Who signs, and when.
struct Signature<'a> {
    key_id: &'a str,
    secret: &'a str,
    region: &'a str,
    at: DateTime<Utc>,
}

impl Signature<'_> {
    /// Every header of a request without a body: `further` and what signing adds.
    fn headers(&self, method: &str, url: &Url, further: &[(&str, &str)]) -> HeaderMap {
        let host = match (url.host_str().unwrap_or_default(), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let moment = self.at.format("%Y%m%dT%H%M%SZ").to_string();
        let mut signed: BTreeMap<&str, &str> = further.iter().copied().collect();
        let nothing = hex(&Sha256::digest(b""));
        signed.insert("host", &host);
        signed.insert("x-amz-content-sha256", &nothing);
        signed.insert("x-amz-date", &moment);

        let names: Vec<&str> = signed.keys().copied().collect();
        let names = names.join(";");
        let mut query: Vec<String> = url
            .query_pairs()
            .map(|(name, value)| format!("{}={}", encoded(&name), encoded(&value)))
            .collect();
        query.sort();
        let lines: String = signed
            .iter()
            .map(|(name, value)| format!("{name}:{}\n", value.trim()))
            .collect();
        let request = format!(
            "{method}\n{}\n{}\n{lines}\n{names}\n{nothing}",
            url.path(),
            query.join("&")
        );

        let day = &moment[..8];
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let digest = hex(&Sha256::digest(request.as_bytes()));
        let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}");
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [day, self.region, "s3", "aws4_request"] {
            key = keyed(&key, part);
        }
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={}",
            self.key_id,
            hex(&keyed(&key, &to_sign))
        );

        let mut headers = HeaderMap::new();
        for (name, value) in signed.iter().filter(|(name, _)| **name != "host") {
            let name = HeaderName::try_from(*name);
            if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(*value)) {
                headers.insert(name, value);
            }
        }
        if let Ok(mut value) = HeaderValue::try_from(authorization) {
            value.set_sensitive(true);
            headers.insert(http::header::AUTHORIZATION, value);
        }
        headers
    }
}

fn keyed(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key will do");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Percent-encoded as signatures want it: all but the unreserved characters.
fn encoded(text: &str) -> String {
    let character = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples AWS publishes for S3, signed with its example key:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.
    #[test]
    fn aws_signs_its_own_examples_alike() {
        let signature = Signature {
            key_id: "AKIAIOSFODNN7EXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            at: "2013-05-24T00:00:00Z".parse().unwrap(),
        };
        for (url, further, signed, expected) in [
            (
                "https://examplebucket.s3.amazonaws.com/test.txt",
                &[("range", "bytes=0-9")][..],
                "host;range;x-amz-content-sha256;x-amz-date",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "https://examplebucket.s3.amazonaws.com/?lifecycle",
                &[],
                "host;x-amz-content-sha256;x-amz-date",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J",
                &[],
                "host;x-amz-content-sha256;x-amz-date",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let headers = signature.headers("GET", &url.parse().unwrap(), further);
            let scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
            assert_eq!(
                headers["authorization"],
                format!(
                    "AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={signed},Signature={expected}"
                ),
                "{url}"
            );
        }
    }

    #[test]
    fn lists_are_read() {
        let xml = "<ListBucketResult><Name>b</Name><Contents><Key>a&amp;lt;</Key><Size>3</Size>\
                   </Contents><Contents><Key>c</Key></Contents></ListBucketResult>";
        let (first, rest) = element(xml, "Contents").unwrap();
        assert_eq!(plain(element(first, "Key").unwrap().0), "a&lt;");
        assert_eq!(element(rest, "Key").unwrap().0, "c");
        assert!(element("<Contents>", "Contents").is_none());
    }
}
