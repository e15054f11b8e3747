//! Makes the program begin in `src/entry.rs`, where that is written for the architecture.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("ARCH") == "x86_64" && target("OS") == "linux" {
        println!("cargo::rustc-link-arg-bins=-Wl,-e,runc_shim_entry");
    }
}
