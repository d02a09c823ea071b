//! What is shipped to run it with: compose files, Kubernetes manifests, the unit of systemd, the image's labels. Each is
//! read as its program reads it, and says what docs/security.md promises; the rules in them are checked by tailgram.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tailgram::config::{self, Environment};
use yaml_rust2::{Yaml, YamlLoader};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn documents(name: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The document of this kind.
fn of_kind(name: &str, kind: &str) -> Yaml {
    let found = documents(name)
        .into_iter()
        .find(|it| it["kind"].as_str() == Some(kind));
    found.unwrap_or_else(|| panic!("{name} has no {kind}"))
}

/// The one container named tailgram in a list of them.
fn tailgram(list: &Yaml) -> &Yaml {
    let mut found = list.as_vec().unwrap().iter();
    found.find(|it| it["name"].as_str() == Some("tailgram")).unwrap()
}

fn strings(list: &Yaml) -> Vec<&str> {
    let items = list.as_vec().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Yaml::as_str).collect()
}

/// The names of a list of named things.
fn names(list: &Yaml) -> Vec<&str> {
    let items = list.as_vec().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|it| it["name"].as_str()).collect()
}

fn environment(container: &Yaml, name: &str) -> Yaml {
    let mut all = container["env"].as_vec().unwrap().iter();
    all.find(|it| it["name"].as_str() == Some(name)).unwrap()["value"].clone()
}

#[track_caller]
fn accepted(name: &str, rules: &str) -> config::Settings {
    let env = Environment::from([("TELEGRAM_CHAT_ID", "4242")]);
    config::parse(Path::new(name), rules, &env).unwrap_or_else(|problems| panic!("{name}: {problems}"))
}

const MANIFESTS: [(&str, &str); 2] = [
    ("deploy/kubernetes/sidecar.yaml", "Deployment"),
    ("deploy/kubernetes/daemonset.yaml", "DaemonSet"),
];

/// The pod of a manifest, and the container that tailgram is in it.
fn pod(name: &str, kind: &str) -> (Yaml, Yaml) {
    let pod = of_kind(name, kind)["spec"]["template"]["spec"].clone();
    let list = if kind == "DaemonSet" {
        "containers"
    } else {
        "initContainers"
    };
    let container = tailgram(&pod[list]).clone();
    (pod, container)
}

#[test]
fn the_rules_in_the_manifests_and_examples_are_good() {
    for (name, _) in MANIFESTS {
        let map = of_kind(name, "ConfigMap");
        let settings = accepted(name, map["data"]["rules.toml"].as_str().unwrap());
        assert!(settings.warnings.is_empty(), "{name}: {:?}", settings.warnings);
    }
    let name = "examples/docker-logs/tailgram/rules.toml";
    accepted(name, &text(name));
}

#[test]
fn in_kubernetes_it_has_no_right_that_it_does_not_need() {
    for (name, kind) in MANIFESTS {
        let (pod, container) = pod(name, kind);
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"].as_bool(), Some(true), "{name}");
        assert_eq!(
            security["allowPrivilegeEscalation"].as_bool(),
            Some(false),
            "{name}"
        );
        assert_eq!(strings(&security["capabilities"]["drop"]), ["ALL"], "{name}");
        let profile = security["seccompProfile"]["type"].as_str();
        assert_eq!(profile, Some("RuntimeDefault"), "{name}");
        assert_eq!(
            pod["automountServiceAccountToken"].as_bool(),
            Some(false),
            "{name}"
        );
        for right in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod[right].is_badvalue(), "{name}: {right}");
        }
        assert!(security["privileged"].is_badvalue(), "{name}");
        assert!(container["ports"].is_badvalue(), "{name}");
    }
}

#[test]
fn in_kubernetes_every_volume_that_is_mounted_is_there_and_only_the_state_can_be_written() {
    for (name, kind) in MANIFESTS {
        let (pod, container) = pod(name, kind);
        let volumes = names(&pod["volumes"]);
        let mut writable = Vec::new();
        for mount in container["volumeMounts"].as_vec().unwrap() {
            let volume = mount["name"].as_str().unwrap();
            assert!(volumes.contains(&volume), "{name}: {volume}");
            assert!(mount["subPath"].is_badvalue(), "{name}: a single file goes stale");
            if mount["readOnly"].as_bool() != Some(true) {
                writable.push(mount["mountPath"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(writable, ["/var/lib/tailgram"], "{name}");
        // The token is a file, so that it is in no environment.
        let token = environment(&container, "TELEGRAM_BOT_TOKEN_FILE");
        assert!(
            token.as_str().unwrap().starts_with("/run/secrets/tailgram/"),
            "{name}"
        );
        assert!(
            !names(&container["env"]).contains(&"TELEGRAM_BOT_TOKEN"),
            "{name}"
        );
        let map = of_kind(name, "ConfigMap")["metadata"]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        let rules = pod["volumes"].as_vec().unwrap().iter();
        let rules = rules
            .map(|it| it["configMap"]["name"].clone())
            .find(|it| !it.is_badvalue());
        assert_eq!(rules.unwrap().as_str(), Some(map.as_str()), "{name}");
    }
}

#[test]
fn the_sidecar_is_one_of_kubernetes_own_and_reads_the_folder_that_the_app_writes_to() {
    let name = MANIFESTS[0].0;
    let (pod, container) = pod(name, MANIFESTS[0].1);
    assert_eq!(container["restartPolicy"].as_str(), Some("Always"));
    assert_eq!(container["securityContext"]["runAsUser"].as_i64(), Some(65532));
    // An outage of Telegram must not take the app out of service.
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        assert!(container[probe].is_badvalue(), "{probe}");
    }
    let mounted = |container: &Yaml| {
        let mounts = container["volumeMounts"].as_vec().unwrap().iter();
        let mut logs = mounts.filter(|it| it["name"].as_str() == Some("logs"));
        logs.next().unwrap()["mountPath"].as_str().unwrap().to_owned()
    };
    assert_eq!(mounted(&container), mounted(&pod["containers"][0]));
    let rules = of_kind(name, "ConfigMap")["data"]["rules.toml"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        rules.contains(&format!("files = [\"{}/", mounted(&container))),
        "{rules}"
    );
    let state = environment(&container, "TAILGRAM_STATE_DIR");
    assert_eq!(
        state.as_str(),
        Some("/var/lib/tailgram/state"),
        "not the emptyDir itself"
    );
}

#[test]
fn on_a_node_it_reads_the_logs_of_pods_and_its_state_outlives_the_pod() {
    let (pod, container) = pod(MANIFESTS[1].0, MANIFESTS[1].1);
    let paths = pod["volumes"].as_vec().unwrap().iter();
    let paths: Vec<_> = paths.filter_map(|it| it["hostPath"]["path"].as_str()).collect();
    assert_eq!(paths, ["/var/log/pods", "/var/lib/tailgram"]);
    let probe = strings(&container["readinessProbe"]["exec"]["command"]);
    assert_eq!(probe, ["/tailgram", "health"]);
    assert!(container["livenessProbe"].is_badvalue());
    assert_eq!(pod["tolerations"][0]["operator"].as_str(), Some("Exists"));
}

#[test]
fn in_compose_it_has_no_right_that_it_does_not_need() {
    for name in ["compose.yaml", "examples/docker-logs/compose.yaml"] {
        let service = documents(name)[0]["services"]["tailgram"].clone();
        assert_eq!(service["read_only"].as_bool(), Some(true), "{name}");
        assert_eq!(strings(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(strings(&service["security_opt"]), ["no-new-privileges"], "{name}");
        for right in ["ports", "privileged", "network_mode", "pid", "cap_add"] {
            assert!(service[right].is_badvalue(), "{name}: {right}");
        }
        let volumes = strings(&service["volumes"]);
        let writable: Vec<_> = volumes.iter().filter(|it| !it.ends_with(":ro")).collect();
        assert!(
            writable.len() == 1 && writable[0].starts_with("state:"),
            "{name}: {writable:?}"
        );
        assert!(!volumes.iter().any(|it| it.contains("docker.sock")), "{name}");
        assert!(
            service["environment"]["TELEGRAM_BOT_TOKEN"].is_badvalue(),
            "{name}"
        );
    }
}

#[test]
fn the_unit_of_systemd_is_good_and_leaves_little_open() {
    let unit = text("deploy/tailgram.service");
    for line in [
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "StateDirectoryMode=0700",
        "LoadCredential=telegram-token:/etc/tailgram/telegram-token",
        "RestartPreventExitStatus=2",
    ] {
        assert!(unit.lines().any(|it| it == line), "{line}");
    }
    assert!(
        !unit.contains("TELEGRAM_BOT_TOKEN="),
        "the token is in no environment"
    );
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        eprintln!("SKIP: deploy: needs systemd-analyze, which reads the unit");
        return;
    };
    assert!(version.status.success());
    // With a program that is there, and without the manual page that may not be.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("tailgram.service");
    let here = unit.replace("/usr/local/bin/tailgram", env!("CARGO_BIN_EXE_tailgram"));
    let here = here.lines().filter(|line| !line.starts_with("Documentation="));
    fs::write(&copy, here.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&copy)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    // Other units of the machine are looked at along the way, and are not ours to judge.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("tailgram")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold=20"])
        .arg(&copy)
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&judged.stdout).into_owned() + &String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "more than 2.0 of 10 is open: {said}");
}

#[test]
fn the_image_says_which_version_it_is() {
    let dockerfile = text("Dockerfile");
    let version = format!(
        "org.opencontainers.image.version=\"{}\"",
        env!("CARGO_PKG_VERSION")
    );
    for label in [
        version.as_str(),
        "org.opencontainers.image.title=\"tailgram\"",
        "org.opencontainers.image.licenses=\"MIT OR Apache-2.0\"",
        "org.opencontainers.image.revision=",
    ] {
        assert!(dockerfile.contains(label), "{label}");
    }
}
