//! Probes of the host.
