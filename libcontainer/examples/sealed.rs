//! Seals itself, tells what it then is, and waits for the end of its input: `tests/sealing.rs` attacks it
//! meanwhile.
use std::io::Read;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    libcontainer::exe::seal()?;
    let name = std::fs::read_to_string("/proc/self/comm")?;
    let report = serde_json::json!({
        "sealed": libcontainer::exe::is_sealed(),
        "arguments": std::env::args().collect::<Vec<_>>(),
        "marker": std::env::var("SEALED_MARKER").ok(),
        "name": name.trim_end(),
        "pid": std::process::id(),
    });
    println!("{report}");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
