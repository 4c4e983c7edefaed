//! `version`: what this is.

use clap::Args;
use serde_json::json;

use super::Run;
use crate::backends;
use crate::exit::Failure;

/// Print the version
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// Print JSON, with the field names that Cosign uses
    #[arg(long)]
    json: bool,
}

impl Version {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let version = format!("v{}", env!("CARGO_PKG_VERSION"));
        let platform = format!("{}/{}", std::env::consts::OS, architecture());
        let schemes: Vec<_> = backends::all().iter().flat_map(|backend| backend.schemes()).copied().collect();
        if self.json {
            let value = json!({
                "gitVersion": version,
                "gitCommit": "unknown",
                "gitTreeState": "unknown",
                "buildDate": "unknown",
                "compiler": "rustc",
                "platform": platform,
                "keySchemes": schemes,
            });
            run.output.line(format!("{value:#}"))?;
        } else {
            run.output
                .line("countersign: signs and verifies software artifacts with the key store you have")?;
            run.output.line("")?;
            for (name, value) in
                [("GitVersion", version), ("Platform", platform), ("KeySchemes", schemes.join(", "))]
            {
                run.output.line(format!("{:<14} {value}", format!("{name}:")))?;
            }
        }
        Ok(())
    }
}

/// Go's names, which scripts compare.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
