//! Values that cannot leak by type.

use secrecy::{ExposeSecret, SecretString};

/// A token, key, password or client secret in plain text.
///
/// It has no `Debug`, `Display`, `Serialize` or `Clone`, and its memory is
/// wiped when it is dropped, so it can only be read where [`Secret::expose`]
/// is written.
pub struct Secret(SecretString);

impl Secret {
    /// Takes ownership of plain text.
    pub fn new(plain: impl Into<String>) -> Self {
        Self(SecretString::from(plain.into()))
    }

    /// `len` bytes from the operating system's generator, as unpadded base64url.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing that needs
    /// a secret may go on then.
    pub fn random(len: usize) -> Self {
        use base64::Engine;
        let mut bytes = zeroize::Zeroizing::new(vec![0u8; len]);
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&*bytes))
    }

    /// Borrows the plain text. Every call site is a place to review.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// SHA-256 of the plain text: what is stored for values we only compare.
    pub fn digest(&self) -> Vec<u8> {
        digest(self.expose())
    }
}

impl From<String> for Secret {
    fn from(plain: String) -> Self {
        Self::new(plain)
    }
}

/// SHA-256 of a value that arrived from outside, to look it up by its digest.
pub fn digest(plain: impl AsRef<[u8]>) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    Sha256::digest(plain).to_vec()
}
