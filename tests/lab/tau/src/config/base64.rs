//! Base64, decoded in the same way as by Go's `encoding/base64`: padding is required, and
//! line breaks and unused last bits are ignored.

use ::base64::alphabet::STANDARD;
use ::base64::engine::general_purpose::{GeneralPurpose, PAD};
use ::base64::{DecodeError, Engine as _};

use crate::refusal::Refusal;

const LIKE_GO: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// Decodes all of `text`.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    LIKE_GO.decode(&text).map_err(|e| {
        let at = match e {
            DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len() / 4 * 4,
        };
        Refusal::new(format!("illegal base64 data at input byte {at}"))
    })
}
