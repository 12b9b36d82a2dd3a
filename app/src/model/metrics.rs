//! Figures about connections and runs, drawn.

/// One bar of a plot, and one line of the table beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// What it is about: a provider's name, a cause.
    pub label: String,
    /// How long the bar is, in thousandths of the plot.
    pub length: u32,
    /// How far a thinner second bar goes, where there are two figures.
    pub further: Option<u32>,
    /// The cells of the table behind the label, in words.
    pub cells: Vec<String>,
    /// The figure as it stands beside the bar.
    pub said: String,
}

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plot {
    /// Names it in the page's addresses.
    pub id: &'static str,
    /// The question.
    pub question: String,
    /// The answer in one sentence.
    pub answer: String,
    /// What the columns of the table are, the label's first.
    pub columns: Vec<&'static str>,
    /// The bars.
    pub bars: Vec<Bar>,
}

/// The page of figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsPage {
    /// Of how many days they are.
    pub days: i64,
    /// How many days may be chosen.
    pub periods: Vec<i64>,
    /// Of which provider they are; empty for all.
    pub provider: String,
    /// Providers to choose from: id and name.
    pub providers: Vec<(String, String)>,
    /// The five questions, and one of ours.
    pub plots: Vec<Plot>,
    /// Whether anything is recorded.
    pub recorded: bool,
}
