//! What becomes of the process that becomes the program.

use libcontainer_init::{Step, slot};

use super::{Actor, Rule, World};
use crate::seccomp;

impl World {
    pub(super) fn program(&mut self, step: &Step) {
        match *step {
            Step::Bounding { .. } | Step::Groups { .. } => self.require(!self.user_changed, Rule::UserLast),
            Step::User { .. } => {
                self.require(self.pivoted, Rule::UserInside);
                self.user_changed = true;
            }
            Step::Rlimit { .. } => self.require(!self.capabilities_set, Rule::LimitsPrivileged),
            Step::Find { .. } => {
                self.require(self.user_changed, Rule::FoundAsUser);
                self.found = true;
            }
            Step::WaitForStart => {
                self.has(slot::GATE);
                self.require(self.recorded, Rule::Recorded);
                self.require(self.previous == Some(Actor::Host), Rule::GateStartsTurn);
                self.gated = true;
            }
            Step::Signals => {
                self.require(!self.filtered, Rule::SignalsFirst);
                self.signals_reset = true;
            }
            Step::Capabilities { .. } => {
                self.require(self.user_changed, Rule::CapabilitiesAsUser);
                self.capabilities_set = true;
            }
            Step::NoNewPrivileges => {
                self.require(!self.filtered, Rule::NoNewPrivilegesFirst);
                self.no_new_privileges = true;
            }
            Step::Seccomp { flags } => self.filter(flags),
            Step::Exec => self.exec(),
            _ => {}
        }
    }

    fn filter(&mut self, flags: u32) {
        self.require(self.capabilities_set, Rule::FilterOrder);
        self.require(self.has_filter, Rule::FilterExists);
        self.filtered = true;
        self.has_listener = seccomp::has_listener(flags);
    }

    fn exec(&mut self) {
        self.require(self.recorded, Rule::Recorded);
        self.require(self.found || !self.has_program, Rule::FoundFirst);
        self.require(self.capabilities_set || !self.has_program, Rule::CapabilitiesFirst);
        self.require(self.filtered || !self.has_filter, Rule::FilterLoaded);
        self.require(self.signals_reset, Rule::SignalsFirst);
        self.executed = true;
    }
}
