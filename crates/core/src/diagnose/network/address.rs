//! Address blocks (CIDR) of IPv4 and IPv6.
//!
//! An IPv4 address is never in an IPv6 block, as AWS's rules have it: each names one
//! family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address block, such as `10.0.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    first: u128,
    bits: u8,
    is_v6: bool,
}

impl Block {
    /// Reads `10.0.0.0/16` or a bare address; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.trim().parse().ok()?;
        let width = if address.is_ipv6() { 128 } else { 32 };
        let bits = bits.map_or(Some(width), |bits| bits.trim().parse().ok())?;
        (bits <= width).then(|| {
            let block = Self { first: 0, bits, is_v6: address.is_ipv6() };
            Self { first: number(address) & block.mask(), ..block }
        })
    }

    /// How many leading bits are fixed: the larger, the more specific.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.bits
    }

    /// Whether the address lies in the block.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv6() == self.is_v6 && number(address) & self.mask() == self.first
    }

    /// The first and the last address that a load balancer's node may have: AWS keeps
    /// the first four of a subnet and the last one.
    #[must_use]
    pub fn ends(self) -> [IpAddr; 2] {
        let last = self.first | (!self.mask() & self.all());
        let low = self.first.saturating_add(4).min(last);
        let high = last.saturating_sub(1).max(self.first);
        [self.address(low), self.address(high)]
    }

    fn all(self) -> u128 {
        if self.is_v6 { u128::MAX } else { u128::from(u32::MAX) }
    }

    fn mask(self) -> u128 {
        let width: u32 = if self.is_v6 { 128 } else { 32 };
        let free = width - u32::from(self.bits);
        self.all() & u128::MAX.checked_shl(free).unwrap_or(0)
    }

    fn address(self, number: u128) -> IpAddr {
        match u32::try_from(number) {
            Ok(number) if !self.is_v6 => IpAddr::V4(Ipv4Addr::from(number)),
            _ => IpAddr::V6(Ipv6Addr::from(number)),
        }
    }
}

/// Whether one of the blocks has the address.
#[must_use]
pub fn any_contains(blocks: &[String], address: IpAddr) -> bool {
    blocks.iter().filter_map(|block| Block::parse(block)).any(|block| block.contains(address))
}

/// Whether an address is not routed on the internet (RFC 1918, RFC 6598, RFC 4193).
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    const PRIVATE: [&str; 5] =
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
    PRIVATE.iter().filter_map(|block| Block::parse(block)).any(|block| block.contains(address))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_addresses_and_no_others() {
        for (block, address, expected) in [
            ("10.0.0.0/16", "10.0.255.255", true),
            ("10.0.0.0/16", "10.1.0.0", false),
            ("10.0.3.7/16", "10.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("2001:db8:0:1::/64", "2001:db8:0:1:ffff::", true),
            ("2001:db8:0:1::/64", "2001:db8:0:2::", false),
            ("10.0.0.5/32", "10.0.0.5", true),
            ("10.0.0.5", "10.0.0.6", false),
        ] {
            let block = Block::parse(block).unwrap();
            assert_eq!(block.contains(address.parse().unwrap()), expected, "{block:?} {address}");
        }
    }

    #[test]
    fn what_is_no_block_is_none() {
        for bad in ["", "10.0.0.0/33", "::/129", "pl-123", "10.0.0/8", "10.0.0.0/x", "1.2.3.4/-1"] {
            assert_eq!(Block::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_ends_lie_within() {
        for text in
            ["10.0.0.0/24", "10.0.0.0/32", "10.0.0.0/31", "::/0", "2001:db8::/64", "0.0.0.0/0"]
        {
            let block = Block::parse(text).unwrap();
            assert!(block.ends().into_iter().all(|end| block.contains(end)), "{text}");
        }
    }
}
