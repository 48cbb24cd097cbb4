//! The targets of the figures. A run that misses some of them fails, and says which.

/// What was missed, a sentence each.
#[derive(Default)]
pub struct Targets {
    missed: Vec<String>,
}

impl Targets {
    /// A figure that must not be less. What was not measured (`None`) is not judged.
    pub fn at_least(&mut self, what: &str, figure: Option<f64>, least: f64) {
        let is_less = |figure: &f64| figure.is_nan() || *figure < least;
        let sentence = |figure| format!("{what}: {figure:.3}, at least {least} is asked");
        self.missed.extend(figure.filter(is_less).map(sentence));
    }

    /// A figure that must not be more.
    pub fn at_most(&mut self, what: &str, figure: Option<f64>, most: f64) {
        let is_more = |figure: &f64| figure.is_nan() || *figure > most;
        let sentence = |figure| format!("{what}: {figure:.3}, at most {most} is asked");
        self.missed.extend(figure.filter(is_more).map(sentence));
    }

    /// What must not be there at all.
    pub fn none(&mut self, what: &str, found: &[String]) {
        self.missed.extend(found.iter().map(|one| format!("{what}: {one}")));
    }

    /// Prints what was missed. Returns whether that is nothing.
    pub fn print(&self) -> bool {
        println!();
        for missed in &self.missed {
            println!("MISSED: {missed}");
        }
        if self.missed.is_empty() {
            println!("every figure that was measured meets its target");
        }
        self.missed.is_empty()
    }
}
