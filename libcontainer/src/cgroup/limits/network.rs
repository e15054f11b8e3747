use oci_spec::runtime::LinuxNetwork;

use super::{CgroupError, pointer, set};

/// The kernel's bound for names of interfaces.
const NAME_MAX: usize = 15;

/// What marks network packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The class of packets for traffic control.
    pub class_id: Option<u32>,
    /// Priorities of packets.
    pub priorities: Vec<InterfacePriority>,
}

/// The priority of packets on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfacePriority {
    /// The interface.
    pub name: String,
    /// The priority.
    pub priority: u32,
}

impl Network {
    pub(super) fn new(network: &LinuxNetwork) -> Result<Self, CgroupError> {
        let mut priorities = Vec::new();
        for (index, entry) in network.priorities().as_deref().unwrap_or_default().iter().enumerate() {
            let name = entry.name();
            let legal = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '/' | ':');
            if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(legal) {
                let at = format!("{}/{index}/name", pointer::PRIORITIES);
                return Err(CgroupError::invalid(at, format!("{name:?}"), "is not a name of an interface"));
            }
            priorities.push(InterfacePriority { name: name.clone(), priority: entry.priority() });
        }
        Ok(Self { class_id: set(network.class_id()), priorities })
    }
}
