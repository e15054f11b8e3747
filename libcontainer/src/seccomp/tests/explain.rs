//! Profiles explained.

use serde_json::json;

use super::*;
use crate::ErrorKind;
use crate::seccomp::explain::{Explanation, explain};
use crate::seccomp::{native_arch, trace};

fn of(document: &Value) -> Explanation {
    explain(document.to_string().as_bytes()).unwrap()
}

#[test]
#[cfg(target_arch = "x86_64")]
fn answers_are_those_of_the_program() {
    let explanation = explain(docker::PROFILE.as_bytes()).unwrap();
    let names: Vec<_> = explanation.architectures.iter().map(|architecture| architecture.name).collect();
    assert_eq!(names, [X86_64, X32, X86]);
    let filter = compile(&serde_json::from_str(docker::PROFILE).unwrap(), X86_64).unwrap();
    let words = |value: u32| match value {
        ALLOW => "SCMP_ACT_ALLOW",
        value if value == errno(libc::EPERM) => "SCMP_ACT_ERRNO EPERM",
        value if value == errno(libc::ENOSYS) => "SCMP_ACT_ERRNO ENOSYS",
        _ => panic!("{value:#x}"),
    };
    for architecture in &explanation.architectures {
        for answer in &architecture.answers {
            for call in &answer.calls {
                assert_eq!(answer.action, words(verdict(&filter, architecture.name, call, &[])), "{call}");
            }
        }
        let conditional: Vec<_> = architecture.conditional.iter().map(|call| call.call).collect();
        assert!(conditional.contains(&"personality"), "{conditional:?}");
        assert_eq!(architecture.newer, "SCMP_ACT_ERRNO ENOSYS");
    }
    let text = explanation.to_string();
    for line in [
        "SCMP_ARCH_X86_64",
        "  SCMP_ACT_ALLOW (",
        "  personality\n",
        "    SCMP_ACT_ALLOW if arg0 == 0x20008\n",
        "    SCMP_ACT_ALLOW if arg0 & 0x7e020000 == 0x0\n",
        "    else SCMP_ACT_ERRNO EPERM\n",
        "  newer calls: SCMP_ACT_ERRNO ENOSYS",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let lines = explanation.listing().to_string();
    assert_eq!(lines.lines().count(), filter.instructions.len());
    assert!(lines.starts_with("    0  load architecture\n    1  if == 0xc000003e go to "), "{lines}");
}

#[test]
fn a_profile_is_found_alone_and_in_a_configuration() {
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}], "listenerPath": "/run/agent.sock"});
    let alone = of(&profile);
    let inside = of(&json!({"ociVersion": "1.2.0", "linux": {"seccomp": profile}}));
    assert_eq!(serde_json::to_value(&alone).unwrap(), serde_json::to_value(&inside).unwrap());
    assert!(alone.to_string().contains("decided by the agent at /run/agent.sock"));
    for wrong in ["", "[", "{}", "7", r#"{"linux":{"seccomp":{}}}"#, r#"{"defaultAction":"SCMP_ACT_PRAY"}"#] {
        let error = explain(wrong.as_bytes()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidSpec { .. }), "{wrong}: {error}");
    }
}

/// What programs do most takes no more instructions than in libseccomp's list, where `read` and `write` are first.
#[test]
#[cfg(target_arch = "x86_64")]
fn frequent_calls_are_found_soon() {
    let filter = compile(&serde_json::from_str(docker::PROFILE).unwrap(), X86_64).unwrap();
    let cost = |name: &str| {
        let data = SeccompData::new(native_arch().unwrap(), name, [0; 6]).unwrap();
        trace(&filter.instructions, &data).unwrap().instructions
    };
    for name in ["read", "write", "close", "mmap", "poll"] {
        assert_eq!(cost(name), 5, "{name}");
    }
    for name in ["futex", "epoll_wait", "recvfrom", "openat"] {
        assert!(cost(name) <= 10, "{name}: {}", cost(name));
    }
}
