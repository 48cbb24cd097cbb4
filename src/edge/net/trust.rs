//! Whose certificates are trusted, and what is wrong with one in words.
//!
//! The roots are those of the machine, as for every other client on it - or those of a file
//! instead (`AWS_CA_BUNDLE`), as in the AWS CLI, for users behind a proxy that inspects TLS
//! or with endpoints of their own.

use std::error::Error as StdError;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tracing::warn;

use super::causes;

/// The largest file of certificates, in bytes: twenty times Mozilla's list.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Certificates to trust instead of this machine's.
#[derive(Debug, Clone)]
pub struct CaBundle {
    certificates: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
}

/// A file that cannot be used as a [`CaBundle`].
#[derive(Debug, thiserror::Error)]
pub enum CaBundleError {
    /// It cannot be read.
    #[error("cannot read the CA bundle {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too long for a bundle.
    #[error("the CA bundle {} is longer than {} MiB: is it another file?", path.display(), MAX_BYTES >> 20)]
    Long {
        /// Which file.
        path: PathBuf,
    },
    /// There is no usable certificate in it.
    #[error("the CA bundle {} has no certificate that can be used: expected PEM, with -----BEGIN CERTIFICATE----- (`openssl x509 -inform der -in FILE` converts DER)", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

impl CaBundle {
    /// Reads a file of PEM certificates. A damaged one is left out, as in OpenSSL: the
    /// others may suffice.
    ///
    /// # Errors
    /// When it cannot be read, or has none.
    pub fn load(path: &Path) -> Result<Self, CaBundleError> {
        let failed = |source| CaBundleError::Read { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut pem = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut pem).map_err(failed)?;
        if pem.len() as u64 > MAX_BYTES {
            return Err(CaBundleError::Long { path: path.to_owned() });
        }
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).flatten().collect();
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(certificates.iter().cloned());
        if usable == 0 {
            return Err(CaBundleError::Empty { path: path.to_owned() });
        }
        Ok(Self { certificates, roots })
    }
}

/// The TLS configuration that trusts whom this machine trusts, or a bundle instead.
///
/// # Errors
/// When rustls cannot do what it always can.
pub fn client_config(bundle: Option<&CaBundle>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let Some(bundle) = bundle else {
        return Ok(builder.with_root_certificates(system()).with_no_client_auth());
    };
    let roots = Arc::new(bundle.roots.clone());
    let usual = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
    let usual = usual.map_err(|error| Error::General(error.to_string()))?;
    let verifier = Arc::new(Listed { usual, certificates: bundle.certificates.clone() });
    let dangerous = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(dangerous.with_no_client_auth())
}

/// The TLS configuration that accepts any peer: nothing is known about it except that it
/// has the key of its certificate.
///
/// # Errors
/// See [`client_config`].
pub fn gullible_config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let verifier = Arc::new(Gullible(provider));
    let dangerous = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(dangerous.with_no_client_auth())
}

/// This machine's roots, read once. One that cannot be read is left out.
fn system() -> RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
            warn!(
                "this machine has no root certificates, so that nobody is believed{why}. Install the package ca-certificates, or set AWS_CA_BUNDLE or [aws] ca_bundle"
            );
        }
        roots
    };
    ROOTS.get_or_init(read).clone()
}

/// Trusts certificates that the roots of a bundle vouch for, and also a server that shows a
/// certificate of the bundle itself: self-signed ones are mostly marked as a CA's, which
/// webpki accepts from no server, while OpenSSL and with it the AWS CLI do.
#[derive(Debug)]
struct Listed {
    usual: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Listed {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.usual.verify_server_cert(certificate, intermediates, name, ocsp, now);
        match verified {
            // webpki has checked its dates before it says so.
            Err(Error::InvalidCertificate(ref error))
                if is_a_cas_own(error) && self.certificates.contains(certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Trusts every certificate, but still checks that the server has its key.
#[derive(Debug)]
struct Gullible(Arc<CryptoProvider>);

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The bad certificate that caused an error, if one did.
#[must_use]
pub fn bad_certificate<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CertificateError> {
    causes(error).find_map(|cause| match cause.downcast_ref::<Error>()? {
        Error::InvalidCertificate(error) => Some(error),
        _ => None,
    })
}

/// What is wrong with a certificate, after "the certificate is not good: ".
#[must_use]
pub fn reason(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "nobody whom this machine trusts vouches for it: it is self-signed, or signed by a private CA, such as that of a proxy that looks into TLS".to_owned()
        }
        CertificateError::Revoked => "it was revoked".to_owned(),
        other if is_a_cas_own(other) => {
            "it is a CA's own, which mostly means self-signed".to_owned()
        }
        other => other.to_string(),
    }
}

/// Whether a server showed the certificate of a CA. rustls passes webpki's error on without
/// a variant of its own for it.
fn is_a_cas_own(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity"))
}
