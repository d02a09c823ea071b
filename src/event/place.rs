//! What lies around a container's log says which container wrote it: the path on Kubernetes, `config.v2.json` beside
//! the log on Docker. Nobody is asked for it, and no socket is needed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Length of the id of a container.
const ID: usize = 64;

/// A container, as far as its log's place tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    fields: Map<String, Value>,
    config: Option<PathBuf>,
    label: Option<Arc<str>>,
}

/// What Docker stores of a container.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    name: String,
    #[serde(default)]
    config: Image,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    #[serde(default)]
    image: String,
}

impl Place {
    /// What a path tells.
    pub fn of(path: &str) -> Self {
        if is_docker(path) {
            return Self {
                config: Some(Path::new(path).with_file_name("config.v2.json")),
                ..Self::default()
            };
        }
        match of_pods(path).or_else(|| of_containers(path)) {
            Some([namespace, pod, container]) => Self {
                label: Some(format!("pod {namespace}/{pod}, container {container}").into()),
                ..Self::with([("namespace", namespace), ("pod", pod), ("container", container)])
            },
            None => Self::default(),
        }
    }

    /// The file that knows more, if there is one: [`Place::learn`] takes what it holds.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Takes the container's name and image from what Docker stores; what cannot be read changes nothing.
    pub fn learn(&mut self, config: &[u8]) {
        let Ok(Stored { name, config }) = serde_json::from_slice(config) else {
            return;
        };
        let name = name.trim_start_matches('/');
        let known = [("container", name), ("image", &*config.image)];
        self.fields = Self::with(known.into_iter().filter(|(_, value)| !value.is_empty())).fields;
        self.label = (!name.is_empty()).then(|| format!("container {name}").into());
    }

    /// How people call it.
    pub fn label(&self) -> Option<&Arc<str>> {
        self.label.as_ref()
    }

    /// Its fields: `container` and `image`, or `namespace`, `pod` and `container`.
    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    fn with<'v>(fields: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let fields = fields.into_iter();
        Self {
            fields: fields
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
            ..Self::default()
        }
    }
}

/// Whether a path is that of a log of Docker's json-file driver: `ID-json.log`, perhaps with a rotator's number.
pub(super) fn is_docker(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let (Some(id), Some(rest)) = (name.get(..ID), name.get(ID..)) else {
        return false;
    };
    let numbered = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
    let rest = rest.strip_prefix("-json.log");
    is_id(id) && rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('.').is_some_and(numbered))
}

fn is_id(id: &str) -> bool {
    id.len() == ID && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log`.
fn of_pods(path: &str) -> Option<[&str; 3]> {
    let (_, rest) = path.split_once("/log/pods/")?;
    let mut steps = rest.split('/');
    let (pod, container) = (steps.next()?, steps.next()?);
    steps.next()?;
    let mut parts = pod.split('_');
    named([parts.next()?, parts.next()?, container])
}

/// `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`.
fn of_containers(path: &str) -> Option<[&str; 3]> {
    let (_, name) = path.split_once("/log/containers/")?;
    let mut parts = name.splitn(3, '_');
    let (pod, namespace, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (container, id) = rest.strip_suffix(".log")?.rsplit_once('-')?;
    is_id(id).then(|| named([namespace, pod, container]))?
}

/// No part of it is empty.
fn named(parts: [&str; 3]) -> Option<[&str; 3]> {
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(place: &Place) -> String {
        let fields = place.fields.iter();
        let fields: Vec<_> = fields
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("?")))
            .collect();
        format!(
            "{} | {}",
            fields.join(" "),
            place.label().map_or("", |label| &**label)
        )
    }

    #[test]
    fn a_path_of_kubernetes_names_the_container() {
        let pods = "/var/log/pods/shop_web-7d9f_0a1b-2c/app/3.log.20260102-030405";
        let expected = "container=app namespace=shop pod=web-7d9f | pod shop/web-7d9f, container app";
        assert_eq!(told(&Place::of(pods)), expected);
        let id = "0123456789abcdef".repeat(4);
        let link = format!("/host/var/log/containers/web-7d9f_shop_my-app-{id}.log");
        assert_eq!(
            told(&Place::of(&link)),
            "container=my-app namespace=shop pod=web-7d9f | pod shop/web-7d9f, container my-app"
        );
    }

    #[test]
    fn docker_tells_in_a_file_beside_the_log() {
        let id = "0123456789abcdef".repeat(4);
        let mut place = Place::of(&format!("/c/{id}/{id}-json.log.1"));
        let config = format!("/c/{id}/config.v2.json");
        assert_eq!(place.config(), Some(Path::new(&config)));
        for broken in ["", "{", "[]", "{\"Name\":7}", "{\"Config\":{}}"] {
            place.learn(broken.as_bytes());
            assert_eq!(told(&place), " | ", "{broken}");
        }
        place.learn(br#"{"Name":"/shop-web-1","Config":{"Image":"shop:1.2","Cmd":null},"State":{}}"#);
        assert_eq!(
            told(&place),
            "container=shop-web-1 image=shop:1.2 | container shop-web-1"
        );
    }

    #[test]
    fn other_paths_tell_nothing() {
        for path in [
            "/logs/app.log",
            "/var/log/pods/",
            "/var/log/pods/a/b/c.log",
            "/var/log/pods/a_b_c/0.log",
            "/var/log/containers/x.log",
            "/var/log/containers/__x-1.log",
            "",
        ] {
            assert_eq!(told(&Place::of(path)), " | ", "{path}");
        }
    }
}
