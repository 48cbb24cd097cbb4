//! Seeded hashing and random draws.
//!
//! Every random decision is addressed by numbers (seed, stream, minute) instead
//! of being taken from one running generator, so the order in which a client
//! asks can never change an answer.

/// Odd constant of the splitmix64 sequence.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scrambles 64 bits (the splitmix64 finaliser).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One well mixed number out of several.
pub(crate) fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(GOLDEN, |state, part| {
        mix(state.wrapping_add(GOLDEN) ^ mix(part.wrapping_add(GOLDEN)))
    })
}

/// One well mixed number out of bytes and a seed.
pub(crate) fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = mix(seed ^ GOLDEN) ^ bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = mix(state.wrapping_add(GOLDEN) ^ u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0_u8; 8];
        word[..rest.len()].copy_from_slice(rest);
        state = mix(state.wrapping_add(GOLDEN) ^ u64::from_le_bytes(word));
    }
    state
}

/// A number in [0, 1) made of the upper 53 bits of a hash.
pub(crate) fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// The standard normal quantile of a share in (0, 1), to within 0.0005: Abramowitz
/// and Stegun, Handbook of Mathematical Functions, formula 26.2.23.
pub(crate) fn quantile(share: f64) -> f64 {
    let tail = share.min(1.0 - share).max(1e-12);
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let size = t - above / below;
    if share < 0.5 { -size } else { size }
}

/// A short run of draws that belongs to one address.
pub(crate) struct Rng {
    state: u64,
    spare: Option<f64>,
}

impl Rng {
    /// The draws of one address.
    pub(crate) fn new(parts: &[u64]) -> Self {
        Self { state: hash(parts), spare: None }
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        unit(self.next())
    }

    /// Uniform in 0..n; 0 for an empty range.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Standard normal (Box-Muller, both halves used).
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// Lognormal with this median (same unit as the median) and sigma.
    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Poisson count; above a mean of 30 its normal approximation.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let floor = (-mean).exp();
        let (mut count, mut product) = (0, self.unit());
        while product > floor {
            count += 1;
            product *= self.unit();
        }
        count
    }
}

/// Sixteen bytes in the usual form of a UUID.
pub(crate) fn uuid(a: u64, b: u64) -> String {
    let text = format!("{a:016x}{b:016x}");
    let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_address_draws_the_same_numbers() {
        let (mut a, mut b) = (Rng::new(&[1, 2, 3]), Rng::new(&[1, 2, 3]));
        assert!((0..100).all(|_| a.next() == b.next()));
        assert_ne!(Rng::new(&[1, 2, 3]).next(), Rng::new(&[1, 3, 2]).next());
    }

    #[test]
    fn poisson_has_its_mean_on_both_sides_of_the_approximation() {
        for mean in [0.5, 3.0, 29.0, 31.0, 500.0] {
            let mut rng = Rng::new(&[7]);
            let sum: u32 = (0..20_000).map(|_| rng.poisson(mean)).sum();
            let found = f64::from(sum) / 20_000.0;
            assert!((found - mean).abs() < 0.05 * mean.max(1.0), "{mean} {found}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        for (share, known) in [(0.5, 0.0), (0.841_345, 1.0), (0.99, 2.326_348), (0.999, 3.090_232)]
        {
            assert!((quantile(share) - known).abs() < 5e-4, "{share}");
            assert!((quantile(1.0 - share) + known).abs() < 5e-4, "{share}");
        }
    }

    #[test]
    fn lognormal_draws_halve_at_the_median() {
        let mut rng = Rng::new(&[9]);
        let below = (0..20_000).filter(|_| rng.lognormal(3.0, 0.5) < 3.0).count();
        assert!((9_700..10_300).contains(&below));
    }
}
