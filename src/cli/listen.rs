//! Where `run` serves its health and its metrics.

use std::net::{SocketAddr, TcpListener};

use super::Failure;

/// The address in what the option says; none if it says nothing, as compose files do when they mean "not set".
pub(super) fn address(text: &str) -> Option<Result<SocketAddr, Failure>> {
    let text = text.trim();
    let wrong = |_| {
        Failure::Usage(format!(
            "--listen (or TAILGRAM_LISTEN) is {text:?}, which is no address with a port; write 127.0.0.1:9115, or \
             0.0.0.0:9115 to be reached from other machines"
        ))
    };
    (!text.is_empty()).then(|| text.parse().map_err(wrong))
}

/// Takes the address, so that a start that cannot have it ends before it begins anything.
pub(super) fn at(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure::Running(format!(
            "cannot listen on {address} (--listen): {error}; take another port, or stop what listens there"
        ))
    })?;
    let address = listener.local_addr().map_err(Failure::running)?;
    tracing::info!("listening on http://{address}: /healthz, /readyz, /metrics");
    Ok(listener)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_address_has_a_port_and_nothing_is_nowhere() {
        let good = |text: &str| address(text).unwrap().unwrap().to_string();
        assert_eq!(good(" 127.0.0.1:9115"), "127.0.0.1:9115");
        assert_eq!(good("[::]:0"), "[::]:0");
        assert!(address(" ").is_none() && address("").is_none());
        for wrong in ["9115", "127.0.0.1", ":9115", "localhost:x", "1.2.3.4:70000"] {
            let failure = address(wrong).unwrap().unwrap_err();
            assert!(matches!(failure, Failure::Usage(_)), "{wrong}");
            assert!(failure.to_string().contains("write 127.0.0.1:9115"), "{failure}");
        }
    }
}
