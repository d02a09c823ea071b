//! Requests go through a proxy or around it as rules.toml and the environment say, and what a proxy answers
//! is never taken for Telegram's word.

use std::process::Command;

use crate::support::{ME, Proxy, Sandbox, until};

/// A name that nobody can resolve but the proxy, which takes every name for the test server's.
const NOWHERE: &str = "http://bot-api.invalid:8081";

/// A sandbox, and a proxy in front of its server.
fn sandbox(proxy: impl Fn(&Proxy) -> String) -> (Sandbox, Proxy) {
    let sandbox = Sandbox::new();
    let door = Proxy::to(sandbox.api.addr());
    sandbox.rules_toml(&format!(
        "[telegram]\nupdates = \"off\"\n{}\n[chats]\nme = {{ id = {ME}, notices = false }}\n[[logs]]\nname = \"app\"\n\
         files = [\"{}/*.log\"]\nstart = \"beginning\"\n[[rules]]\nname = \"oops\"\nmatch = 'ERROR'\nwait = \"0s\"\n",
        proxy(&door),
        sandbox.path("logs").display()
    ));
    sandbox.append("app.log", "ERROR one\n");
    (sandbox, door)
}

/// `run`, which says all it can say in the log.
fn run(sandbox: &Sandbox, api_url: &str) -> Command {
    let mut command = sandbox.command(&["run", "--log-level", "trace"]);
    command.env("TELEGRAM_API_URL", api_url);
    command
}

/// Runs until the first message arrived; nothing that was said holds the token or the proxy's password.
#[track_caller]
fn delivers(sandbox: &Sandbox, command: Command) {
    let running = sandbox.spawn(command);
    until("the message arrives", || {
        sandbox.last_text().contains("ERROR one")
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let said = sandbox.stderr();
    assert!(
        !said.contains(sandbox.api.token()) && !said.contains("hush"),
        "{said}"
    );
}

#[test]
fn an_http_proxy_of_rules_toml_takes_every_request() {
    let (sandbox, proxy) = sandbox(|proxy| format!("proxy = \"http://me:hush@{}\"", proxy.address()));
    delivers(&sandbox, run(&sandbox, NOWHERE));
    let asked = proxy.asked();
    let to_bot = format!("POST {NOWHERE}/bot{}/", sandbox.api.token());
    assert!(asked.iter().all(|head| head.starts_with(&to_bot)), "{asked:?}");
    // What `me:hush` is in base64.
    let password = "proxy-authorization: basic bwu6ahvzaa==";
    assert!(asked[0].to_lowercase().contains(password), "{asked:?}");
}

#[test]
fn a_socks_proxy_is_given_the_name_and_not_an_address() {
    let (sandbox, proxy) = sandbox(|proxy| format!("proxy = \"socks5h://{}\"", proxy.address()));
    delivers(&sandbox, run(&sandbox, NOWHERE));
    let asked = proxy.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|asked| asked == "socks5 bot-api.invalid:8081"),
        "{asked:?}"
    );
}

#[test]
fn a_proxy_of_the_environment_is_used_where_rules_toml_names_none() {
    for (scheme, variable) in [
        ("http", "HTTP_PROXY"),
        ("http", "ALL_PROXY"),
        ("socks5h", "ALL_PROXY"),
    ] {
        let (sandbox, proxy) = sandbox(|_| String::new());
        let mut command = run(&sandbox, NOWHERE);
        command
            .env(variable, format!("{scheme}://{}", proxy.address()))
            .env("NO_PROXY", "elsewhere.invalid");
        delivers(&sandbox, command);
        assert!(!proxy.asked().is_empty(), "{variable} {scheme}");
    }
}

#[test]
fn what_no_proxy_names_goes_around_the_proxy() {
    let (sandbox, proxy) = sandbox(|_| String::new());
    let mut command = run(&sandbox, &sandbox.api.url());
    command
        .env("HTTP_PROXY", format!("http://{}", proxy.address()))
        .env("NO_PROXY", "elsewhere.invalid,127.0.0.1");
    delivers(&sandbox, command);
    assert_eq!(proxy.asked(), [""; 0]);
}

#[test]
fn what_a_proxy_refuses_waits_and_is_sent_once_it_passes_it() {
    for (status, page) in [
        (401, "<html>please sign in</html>"),
        (404, "<html>no such page</html>"),
        (407, ""),
        (400, "<html>what?</html>"),
    ] {
        let (sandbox, proxy) = sandbox(|proxy| format!("proxy = \"http://{}\"", proxy.address()));
        proxy.refuse(status, page);
        let running = sandbox.spawn(run(&sandbox, NOWHERE));
        until("it says so", || {
            sandbox
                .stderr()
                .contains(&format!("not delivered: HTTP {status}"))
        });
        proxy.pass();
        until("the message arrives", || {
            sandbox.last_text().contains("ERROR one")
        });
        assert!(running.terminate().success(), "{}", sandbox.stderr());
        let messages = sandbox.api.journal().messages(ME);
        assert_eq!(messages.len(), 1);
        assert!(!messages[0].text.contains("may repeat"), "{messages:?}");
        assert!(!sandbox.stderr().contains(sandbox.api.token()));
    }
}

#[test]
fn a_proxys_502_may_have_come_after_the_request_was_passed_on() {
    let (sandbox, proxy) = sandbox(|proxy| format!("proxy = \"http://{}\"", proxy.address()));
    proxy.refuse(502, "<html>bad gateway</html>");
    let running = sandbox.spawn(run(&sandbox, NOWHERE));
    until("it says so", || {
        sandbox.stderr().contains("not delivered: HTTP 502")
    });
    proxy.pass();
    until("the message arrives", || {
        sandbox.last_text().contains("may repeat")
    });
    assert!(running.terminate().success(), "{}", sandbox.stderr());
}

#[test]
fn a_tunnel_that_is_not_opened_costs_no_doubt() {
    let (sandbox, proxy) = sandbox(|_| String::new());
    proxy.refuse(502, "<html>bad gateway</html>");
    let mut command = run(&sandbox, "https://bot-api.invalid");
    command.env("HTTPS_PROXY", format!("http://me:hush@{}", proxy.address()));
    let running = sandbox.spawn(command);
    until("it says so", || sandbox.stderr().contains("not delivered:"));
    assert!(running.terminate().success(), "{}", sandbox.stderr());
    let asked = proxy.asked();
    let tunnel = |head: &String| head.starts_with("CONNECT bot-api.invalid:443 ");
    assert!(asked.iter().all(tunnel), "{asked:?}");
    // Without the proxy: what waited arrives, and is known not to have been sent before.
    delivers(&sandbox, run(&sandbox, &sandbox.api.url()));
    assert!(!sandbox.last_text().contains("may repeat"));
}
