//! When a certificate expires, read from its DER.
//!
//! One date does not justify an X.509 library: the way to it is five fields of RFC 5280,
//! section 4.1. What does not look like them gives no date, and nothing depends on it but a
//! line of the report.

/// The end of a certificate's validity, as `2026-01-31T23:59:59Z`.
#[must_use]
pub(super) fn expires(der: &[u8]) -> Option<String> {
    let (certificate, _) = field(der, SEQUENCE)?;
    let (mut rest, _) = field(certificate, SEQUENCE)?;
    if let Some((_, after)) = field(rest, VERSION) {
        rest = after;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = field(rest, tag)?.1; // serial number, signature, issuer
    }
    let (validity, _) = field(rest, SEQUENCE)?;
    let (_, not_after) = field(validity, UTC_TIME).or_else(|| field(validity, GENERALIZED_TIME))?;
    match field(not_after, UTC_TIME) {
        Some((time, _)) => date(&century(std::str::from_utf8(time).ok()?)?),
        None => date(std::str::from_utf8(field(not_after, GENERALIZED_TIME)?.0).ok()?),
    }
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The content of the field that comes first, and what follows it.
fn field(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Years of two digits below 50 belong to this century (RFC 5280, section 4.1.2.5.1).
fn century(time: &str) -> Option<String> {
    let year: u8 = time.get(..2)?.parse().ok()?;
    Some(format!("{}{time}", if year < 50 { "20" } else { "19" }))
}

/// `20260131235959Z` as people write it.
fn date(time: &str) -> Option<String> {
    let digits = time.strip_suffix('Z').filter(|t| t.len() == 14)?;
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    all.then(|| {
        let (day, time) = ([part(0, 4), part(4, 6), part(6, 8)], [part(8, 10), part(10, 12)]);
        format!("{}T{}:{}Z", day.join("-"), time.join(":"), part(12, 14))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

    #[test]
    fn the_date_is_that_of_openssl() {
        let pem = include_bytes!("../../../tests/tls/cert.pem");
        let certificate = CertificateDer::from_pem_slice(pem).unwrap();
        assert_eq!(expires(&certificate).as_deref(), Some("2126-10-27T08:16:14Z"));
    }

    #[test]
    fn nonsense_has_no_date() {
        let pem = include_bytes!("../../../tests/tls/cert.pem");
        let certificate = CertificateDer::from_pem_slice(pem).unwrap();
        for end in 0..certificate.len() {
            assert_eq!(expires(&certificate[..end]), None);
        }
        assert_eq!(date(&century("491231235959Z").unwrap()).unwrap(), "2049-12-31T23:59:59Z");
        assert_eq!(date("2049123123595Z"), None);
    }
}
