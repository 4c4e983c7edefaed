//! Rego (Open Policy Agent, in the syntax of its version 0, as Cosign reads it): `data.signature.allow` must be true.

use std::num::NonZeroU32;
use std::time::Duration;

use countersign_core::OpenContext;
use countersign_core::error::{Error, ErrorKind, Result};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use crate::verify::{Check, Refusal};

const RULE: &str = "data.signature.allow";
/// What evaluating may take where the command has no deadline of its own.
const MAX_TIME: Duration = Duration::from_secs(30);
/// Steps between two looks at the clock.
const STEPS: NonZeroU32 = NonZeroU32::new(1024).unwrap();

/// An engine that knows the policies: name and text of each.
pub(super) fn engine(policies: &[(String, String)]) -> Result<Engine> {
    let mut engine = Engine::new();
    engine.set_rego_v0(true);
    for (name, text) in policies {
        engine.add_policy(name.clone(), text.clone()).map_err(|cause| {
            Error::new(ErrorKind::Unsupported, format!("cannot use the policy {name}"))
                .why(format!("it is no Rego: {}", first_line(&cause.to_string())))
        })?;
    }
    let packages = engine.get_packages().unwrap_or_default();
    if !packages.iter().any(|package| package == "data.signature") {
        return Err(Error::new(ErrorKind::Unsupported, "cannot use the Rego policies")
            .why("none of them is of the package signature")
            .hint("begin with `package signature`, and set `allow`"));
    }
    Ok(engine)
}

pub(super) fn check(
    policies: &[(String, String)],
    statement: &[u8],
    context: &OpenContext<'_>,
) -> Result<std::result::Result<(), Refusal>> {
    let failed = |why: String| {
        Error::new(ErrorKind::Unsupported, "cannot evaluate the Rego policies").why(first_line(&why))
    };
    let mut engine = engine(policies)?;
    let limit = context.time_left("evaluate the Rego policies")?.map_or(MAX_TIME, |left| left.min(MAX_TIME));
    engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: STEPS });
    let input = Value::from_json_str(&String::from_utf8_lossy(statement));
    engine.set_input(input.map_err(|cause| failed(cause.to_string()))?);
    let answer = engine.eval_rule(RULE.to_owned()).map_err(|cause| failed(cause.to_string()))?;
    if answer == Value::from(true) {
        return Ok(Ok(()));
    }
    let found = if answer == Value::Undefined { "undefined".to_owned() } else { answer.to_string() };
    Ok(Err(Check::Predicate.refuse(format!("{RULE} to be true"), found)))
}

/// The parser shows a drawing of the place below its first line.
fn first_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
