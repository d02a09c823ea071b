//! A page of `/metrics`, read as strictly as the format is meant.

use std::collections::{BTreeMap, BTreeSet};

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

/// What a page says.
#[derive(Debug, Default)]
pub struct Scrape {
    /// The type of each metric.
    pub kinds: BTreeMap<String, String>,
    /// The values, by the sample's own name and labels.
    pub samples: BTreeMap<(String, Labels), f64>,
}

impl Scrape {
    /// Reads a page. Panics on anything that is not as the format says: a metric in two places or without help and type,
    /// a sample that belongs to another metric or stands twice, a label that is not closed, buckets that do not add up.
    pub fn read(page: &str) -> Self {
        assert!(page.ends_with('\n'), "the last line ends too");
        let mut scrape = Self::default();
        let mut helped = BTreeSet::new();
        let mut metric = String::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(!help.trim().is_empty(), "{line}");
                assert!(helped.insert(name.to_owned()), "twice: {line}");
                name.clone_into(&mut metric);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, metric, "its help stands before it");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                scrape.kinds.insert(name.to_owned(), kind.to_owned());
            } else {
                scrape.sample(&metric, line);
            }
        }
        scrape.check_histograms();
        scrape
    }

    /// The value of a sample, written as on the page: `name{label="value"}`.
    pub fn value(&self, sample: &str) -> Option<f64> {
        let (name, labels, rest) = head(sample);
        assert_eq!(rest, "");
        self.samples.get(&(name, labels)).copied()
    }

    /// The same where it is a whole number.
    pub fn count(&self, sample: &str) -> u64 {
        whole(
            self.value(sample)
                .unwrap_or_else(|| panic!("there is no {sample}")),
        )
    }

    /// The sum of the samples of a metric.
    pub fn sum(&self, metric: &str) -> u64 {
        // The sum of nothing is a negative zero.
        whole(self.of(metric).map(|(_, value)| value).sum::<f64>() + 0.0)
    }

    /// All samples of a metric: for a histogram those of its parts.
    pub fn of<'s>(&'s self, metric: &'s str) -> impl Iterator<Item = (&'s Labels, f64)> {
        let own = move |name: &str| {
            let part = name.strip_prefix(metric);
            part.is_some_and(|part| ["", "_bucket", "_sum", "_count"].contains(&part))
        };
        let samples = self.samples.iter().filter(move |((name, _), _)| own(name));
        samples.map(|((_, labels), value)| (labels, *value))
    }

    fn sample(&mut self, metric: &str, line: &str) {
        let (name, labels, rest) = head(line);
        let kind = self
            .kinds
            .get(metric)
            .unwrap_or_else(|| panic!("no type: {line}"));
        let mine = match kind.as_str() {
            "histogram" => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|part| name == format!("{metric}{part}")),
            _ => name == metric,
        };
        assert!(mine, "stands below {metric}: {line}");
        let value: f64 = rest.strip_prefix(' ').unwrap().parse().unwrap();
        assert!(value.is_finite(), "{line}");
        assert!(
            self.samples.insert((name, labels), value).is_none(),
            "twice: {line}"
        );
    }

    fn check_histograms(&self) {
        for (metric, _) in self.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let bucket = format!("{metric}_bucket");
            let buckets = self.samples.iter().filter(|((name, _), _)| *name == bucket);
            let mut buckets: Vec<(f64, f64)> = buckets
                .map(|((_, labels), value)| (labels["le"].parse().unwrap(), *value))
                .collect();
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{metric}: {buckets:?}");
            let (last, all) = *buckets.last().unwrap();
            assert!(last.is_infinite(), "{metric}");
            assert_eq!(Some(all), self.value(&format!("{metric}_count")));
            assert!(self.value(&format!("{metric}_sum")).is_some());
        }
    }
}

fn whole(value: f64) -> u64 {
    value.to_string().parse().unwrap()
}

/// The name and the labels of a sample, and what stands behind them.
fn head(line: &str) -> (String, Labels, &str) {
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    assert!(!name.is_empty(), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, behind) = rest.split_once("=\"").unwrap();
            let (value, behind) = value(behind);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            match behind.chars().next() {
                Some(',') => rest = &behind[1..],
                Some('}') => {
                    rest = &behind[1..];
                    break;
                }
                _ => panic!("not closed: {line}"),
            }
        }
    }
    (name.to_owned(), labels, rest)
}

/// A value up to its closing quote, and what stands behind it.
fn value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().unwrap().1 {
                'n' => value.push('\n'),
                c @ ('"' | '\\') => value.push(c),
                c => panic!("no such escape: \\{c}"),
            },
            c => value.push(c),
        }
    }
    panic!("no closing quote: {text}");
}
