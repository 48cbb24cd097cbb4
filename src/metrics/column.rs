//! The samples of one family, packed.

/// A bit for each sample that there may be, and a number for each one that is present.
#[derive(Debug, Default)]
pub(super) struct Column {
    present: Vec<u64>,
    places: usize,
    values: Vec<f64>,
}

impl Column {
    /// Appends the next sample, if it is present.
    pub(super) fn push(&mut self, value: Option<f64>) {
        let bit = self.places % 64;
        if bit == 0 {
            self.present.push(0);
        }
        if let (Some(value), Some(word)) = (value, self.present.last_mut()) {
            *word |= 1 << bit;
            self.values.push(value);
        }
        self.places += 1;
    }

    /// Whether there is no sample at all.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Gives back what was allocated in advance.
    pub(super) fn pack(&mut self) {
        self.present.shrink_to_fit();
        self.values.shrink_to_fit();
    }

    /// The samples that are present, each with its place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        let places = self.present.iter().enumerate().flat_map(|(word, &bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| 64 * word + bit)
        });
        places.zip(self.values.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_in_comes_out_in_its_place() {
        let all: Vec<Option<f64>> =
            (0..200_u32).map(|n| (n % 3 != 1).then_some(f64::from(n))).collect();
        let mut column = Column::default();
        assert!(column.is_empty());
        for value in &all {
            column.push(*value);
        }
        column.pack();
        let mut back = vec![None; all.len()];
        column.iter().for_each(|(place, value)| back[place] = Some(value));
        assert_eq!(back, all);
    }
}
