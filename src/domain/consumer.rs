//! The names behind `inbox_state.consumer_id`. MassTransit computes the id from three names, so whoever
//! configures the names can read the ids.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::id::ConsumerId;

/// A consumer of a message type on a queue, by the full names of the service's code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Consumer {
    /// `BookWorm.Ordering.IntegrationEvents.EventHandlers.DeleteBasketCompleteCommandHandler`
    pub handler: String,
    /// `BookWorm.Contracts.DeleteBasketCompleteCommand`
    pub message: String,
    /// `basket-checkout-complete`
    pub queue: String,
}

/// The text does not name a consumer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not written HANDLER:MESSAGE:QUEUE with the full type names of the service")]
pub struct NoConsumer(String);

impl Consumer {
    /// The id that MassTransit gives it: the MD5 of `handler:message:queue`, read as .NET reads a GUID
    /// from bytes (the first three groups little-endian).
    #[must_use]
    pub fn id(&self) -> ConsumerId {
        ConsumerId(Uuid::from_bytes_le(md5(self.to_string().as_bytes())))
    }

    /// The same where the service runs in FIPS mode: the beginning of a SHA-256.
    #[must_use]
    pub fn fips_id(&self) -> ConsumerId {
        let digest = Sha256::digest(self.to_string().as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        ConsumerId(Uuid::from_bytes_le(bytes))
    }

    /// Whether rows with this id are its own.
    #[must_use]
    pub fn is(&self, id: ConsumerId) -> bool {
        self.id() == id || self.fips_id() == id
    }

    /// The handler's own name, without its namespace.
    #[must_use]
    pub fn short(&self) -> &str {
        self.handler.rsplit('.').next().unwrap_or(&self.handler)
    }
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.handler, self.message, self.queue)
    }
}

impl FromStr for Consumer {
    type Err = NoConsumer;

    fn from_str(text: &str) -> Result<Self, NoConsumer> {
        let not = || NoConsumer(text.to_owned());
        // Type names have no colon; a queue's name may.
        let mut parts = text.splitn(3, ':').map(str::trim);
        let mut next = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        match (next(), next(), next()) {
            (Some(handler), Some(message), Some(queue)) => Ok(Self { handler, message, queue }),
            _ => Err(not()),
        }
    }
}

/// The name of a consumer where it is configured, else the end of its id.
#[must_use]
pub fn named(id: ConsumerId, known: &[Consumer]) -> String {
    let found = known.iter().find(|consumer| consumer.is(id));
    found.map_or_else(|| id.short(), |consumer| consumer.short().to_owned())
}

/// MD5 (RFC 1321). Only ever a name here, never a protection.
fn md5(text: &[u8]) -> [u8; 16] {
    const TURNS: [[u32; 4]; 4] =
        [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let bits = (text.len() as u64).wrapping_mul(8);
    let mut padded = text.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend(bits.to_le_bytes());
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let word = |at: usize| {
            let bytes = [block[at * 4], block[at * 4 + 1], block[at * 4 + 2], block[at * 4 + 3]];
            u32::from_le_bytes(bytes)
        };
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64_usize {
            let (mixed, at) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let sum = a.wrapping_add(mixed).wrapping_add(SINES[step]).wrapping_add(word(at));
            let turned = sum.rotate_left(TURNS[step / 16][step % 4]);
            (a, d, c, b) = (d, c, b, b.wrapping_add(turned));
        }
        for (kept, new) in state.iter_mut().zip([a, b, c, d]) {
            *kept = kept.wrapping_add(new);
        }
    }
    let mut out = [0; 16];
    for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    out
}

/// The whole part of `abs(sin(i + 1)) * 2^32`.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: [u8; 16]) -> String {
        format!("{:032x}", u128::from_be_bytes(bytes))
    }

    #[test]
    fn the_digest_is_the_one_of_the_rfc() {
        assert_eq!(hex(md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(md5(b"message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
        // 62 bytes: the length needs a block of its own.
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        assert_eq!(hex(md5(letters)), "d174ab98d277d9f5a5611c2c9f419d9f");
        let long =
            b"12345678901234567890123456789012345678901234567890123456789012345678901234567890";
        assert_eq!(hex(md5(long)), "57edf4a22be3c955ac49da2e2107b67a");
    }

    #[test]
    fn the_ids_are_those_that_the_service_wrote() {
        let name = "BookWorm.Ordering.IntegrationEvents.EventHandlers.DeleteBasketCompleteCommandHandler:\
                    BookWorm.Contracts.DeleteBasketCompleteCommand:basket-checkout-complete";
        let consumer: Consumer = name.parse().unwrap();
        assert_eq!(consumer.id().to_string(), "e2f7c838-07b9-51f1-e07e-cae27e7cdc6e");
        assert_eq!(consumer.short(), "DeleteBasketCompleteCommandHandler");
        assert_eq!(named(consumer.id(), std::slice::from_ref(&consumer)), consumer.short());
        assert_eq!(named(ConsumerId(Uuid::nil()), &[consumer]), "…0000");
        // Seen in the tables of the running service, whose handler has no namespace.
        let seen: Consumer =
            "DeleteBasketCompleteCommandHandler:BookWorm.Contracts.DeleteBasketCompleteCommand:\
                              basket-checkout-complete"
                .parse()
                .unwrap();
        assert_eq!(seen.id().to_string(), "039b5c39-55a1-eeb8-19f5-596cfe59051e");
        assert!(seen.is(seen.id()) && seen.is(seen.fips_id()) && seen.id() != seen.fips_id());
        assert_eq!(named(seen.fips_id(), std::slice::from_ref(&seen)), seen.short());
    }

    #[test]
    fn what_is_no_name_is_told() {
        for text in ["", "a", "a:b", "a::c", ":b:c"] {
            assert!(text.parse::<Consumer>().is_err(), "{text}");
        }
    }
}
