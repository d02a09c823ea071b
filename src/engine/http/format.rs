//! The text format that scrapers of Prometheus read.
//!
//! Each metric stands in one piece behind its help and its type; a line ends with a newline, the last one too.

use std::fmt::{Display, Write as _};

use crate::engine::counts::Histogram;

/// The type of the page.
pub(super) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Only ever grows.
    Counter,
    /// May fall.
    Gauge,
}

/// A page under construction.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Begins a metric; its samples follow.
    pub(super) fn metric(&mut self, kind: Kind, name: &'static str, help: &str) -> Metric<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.head(name, kind, help);
        Metric { page: self, name }
    }

    /// A whole histogram.
    pub(super) fn histogram<const N: usize>(
        &mut self,
        name: &'static str,
        help: &str,
        bounds: &[f64; N],
        times: &Histogram<N>,
    ) {
        self.head(name, "histogram", help);
        let mut upto = 0;
        for (bound, within) in bounds.iter().zip(times.within) {
            upto += within;
            self.line(&format!("{name}_bucket"), &[("le", &bound.to_string())], upto);
        }
        self.line(&format!("{name}_bucket"), &[("le", "+Inf")], times.count);
        self.line(&format!("{name}_sum"), &[], times.sum.as_secs_f64());
        self.line(&format!("{name}_count"), &[], times.count);
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // A `String` takes everything; here and below.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (nth, (label, text)) in labels.iter().enumerate() {
            let before = if nth == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

/// A metric whose samples are being written.
#[derive(Debug)]
pub(super) struct Metric<'p> {
    page: &'p mut Page,
    name: &'static str,
}

impl Metric<'_> {
    /// One of its values. No two have the same labels.
    pub(super) fn is(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.page.line(self.name, labels, value);
        self
    }
}

/// Names are other people's words: a quote or a newline in one must not end the value.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_value() {
        let mut page = Page::default();
        page.metric(Kind::Gauge, "x", "What it is.")
            .is(&[("rule", "a\"b\\c\nd"), ("chat", "한")], 3);
        assert_eq!(
            page.finish(),
            "# HELP x What it is.\n# TYPE x gauge\nx{rule=\"a\\\"b\\\\c\\nd\",chat=\"한\"} 3\n"
        );
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up() {
        let times = Histogram {
            within: [2, 0, 1],
            count: 4,
            sum: std::time::Duration::from_millis(2_500),
        };
        let mut page = Page::default();
        page.histogram("t_seconds", "How long.", &[0.5, 1.0, 2.5], &times);
        let text = page.finish();
        let samples: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            samples,
            [
                "t_seconds_bucket{le=\"0.5\"} 2",
                "t_seconds_bucket{le=\"1\"} 2",
                "t_seconds_bucket{le=\"2.5\"} 3",
                "t_seconds_bucket{le=\"+Inf\"} 4",
                "t_seconds_sum 2.5",
                "t_seconds_count 4",
            ]
        );
    }
}
