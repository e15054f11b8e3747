//! (configuration, options, facts) → [`Plan`]: pure.

/// What would happen, in total order.
#[derive(Clone, Debug)]
pub struct Plan {}

impl std::fmt::Display for Plan {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl Plan {
    /// What the user should know although the plan can be executed.
    #[must_use]
    pub fn warnings(&self) -> &[crate::spec::Warning] {
        &[]
    }

    /// The plan as JSON (docs/plan-format.md).
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
