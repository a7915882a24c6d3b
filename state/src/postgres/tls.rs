//! The encrypted connection: rustls, with the system's authorities or one that is named.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What makes encrypted connections. With `verify`, only to a server that an authority vouches for: those in the file
/// `root`, else the system's. The error is the reason, in words.
pub(super) fn connector(verify: bool, root: Option<&Path>) -> Result<MakeRustlsConnect, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = if verify {
        builder.with_root_certificates(authorities(root)?).with_no_client_auth()
    } else {
        let blind = Arc::new(Blind(provider.signature_verification_algorithms));
        builder.dangerous().with_custom_certificate_verifier(blind).with_no_client_auth()
    };
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(root: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match root {
        Some(path) => {
            let explain = |error: &dyn fmt::Display| format!("sslrootcert {}: {error}", path.display());
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| explain(&error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| explain(&error))?;
                roots.add(certificate).map_err(|error| explain(&error))?;
            }
            if roots.is_empty() {
                return Err(explain(&"the file holds no certificate"));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(
                    "this machine knows no certificate authorities; name one with sslrootcert".to_owned()
                );
            }
        }
    }
    Ok(roots)
}

/// Takes any certificate, as `sslmode=prefer` and `require` say: against listening, not against a false server.
#[derive(Debug)]
struct Blind(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Blind {
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
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
