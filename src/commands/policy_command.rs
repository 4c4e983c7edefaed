//! `policy check` and `policy explain`: whether a policy file is one, and what it demands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Run;
use crate::exit::Failure;
use crate::policy::{self, PolicyFile, Who};
use crate::verify::Evidence;

/// Check and explain policy files
#[derive(Debug, Args)]
pub(crate) struct PolicyCommand {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Say whether a policy file can be used
    Check(Named),
    /// Say in words what a policy file demands
    Explain(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// The policy file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl PolicyCommand {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let deadline = run.global.deadline();
        match self.step {
            Step::Check(Named { file }) => {
                let policy = policy::load(&file, deadline)?;
                run.output.line(format!(
                    "{} is a policy of {} signers and {} attestations",
                    file.display(),
                    policy.signers.len(),
                    policy.attestations.len()
                ))?;
            }
            Step::Explain(Named { file }) => {
                for line in explain(&policy::load(&file, deadline)?) {
                    run.output.line(line)?;
                }
            }
        }
        Ok(())
    }
}

fn explain(policy: &PolicyFile) -> Vec<String> {
    let mut lines = Vec::new();
    let name = |at: usize| policy.signers[at].0.clone();
    if let Some(rule) = &policy.require {
        lines.push(format!("signatures: {}", rule.words(&name)));
    }
    for one in &policy.attestations {
        lines.push(format!("attestation {}: {}", one.predicate_type, one.by.words(&name)));
        lines.extend(one.policies.iter().map(|path| format!("  that satisfies {path}")));
    }
    for (name, who) in &policy.signers {
        match who {
            Who::Key(key, window) => lines.push(format!("{name}: the key {key}, used at {}", window.words())),
            Who::Identity(identity) => {
                lines.push(format!("{name}: a certificate for {}", identity.name.words()));
                lines.extend(identity.issuer.iter().map(|issuer| format!("  issued for {}", issuer.words())));
                let extensions = identity.extensions.iter();
                lines.extend(extensions.map(|(name, value)| format!("  {name} {}", value.words())));
            }
        }
    }
    lines.push(format!("evidence for certificates: {}", words(&policy.certificates)));
    lines.push(format!("evidence for keys: {}", words(&policy.keys)));
    lines
}

fn words(kinds: &[Evidence]) -> String {
    let one = |evidence: &Evidence| {
        let parts = [
            (evidence.logs, "log entry"),
            (evidence.timestamps, "signed timestamp"),
            (evidence.certificate_logs, "certificate log"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(" and ") }
    };
    kinds.iter().map(one).collect::<Vec<_>>().join(", or ")
}
