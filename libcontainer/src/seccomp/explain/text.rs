//! An explanation as text.

use std::fmt;

use super::{Architecture, Explanation};

/// Columns of a line of names.
const WIDTH: usize = 100;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.architectures.iter().try_for_each(|architecture| writeln!(f, "{architecture}"))?;
        if let Some(path) = &self.listener_path {
            writeln!(f, "calls with SCMP_ACT_NOTIFY are decided by the agent at {path}")?;
        }
        let cost = &self.cost;
        writeln!(
            f,
            "{} instructions; a call takes {} of them on average, among them {} comparisons, at most {}",
            self.instructions, cost.average_instructions, cost.average_comparisons, cost.most_comparisons
        )?;
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        for answer in &self.answers {
            writeln!(f, "  {} ({} calls)", answer.action, answer.calls.len())?;
            names(f, &answer.calls)?;
        }
        for conditional in &self.conditional {
            writeln!(f, "  {}", conditional.call)?;
            for rule in &conditional.rules {
                writeln!(f, "    {} if {}", rule.action, rule.conditions.join(" and "))?;
            }
            writeln!(f, "    else {}", conditional.otherwise)?;
        }
        writeln!(f, "  newer calls: {}", self.newer)
    }
}

fn names(f: &mut fmt::Formatter<'_>, names: &[&str]) -> fmt::Result {
    let mut column = WIDTH;
    for name in names {
        if column + name.len() >= WIDTH {
            if column < WIDTH {
                writeln!(f)?;
            }
            write!(f, "   ")?;
            column = 3;
        }
        write!(f, " {name}")?;
        column += name.len() + 1;
    }
    writeln!(f)
}
