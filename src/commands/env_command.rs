//! `env`: the variables that the tool and its backends read.

use clap::Args;
use countersign_core::Variable;

use super::Run;
use crate::env;
use crate::exit::Failure;

/// Print the environment variables that are read
#[derive(Debug, Args)]
pub(crate) struct EnvCommand {
    /// Say what each variable is for
    #[arg(long, default_value = "true")]
    show_descriptions: bool,

    /// Print secrets too
    #[arg(long)]
    show_sensitive_values: bool,
}

impl EnvCommand {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let mut variables: Vec<&Variable> = env::all().collect();
        variables.sort_by_key(|variable| variable.name);
        for variable in variables {
            if self.show_descriptions {
                run.output.line(format!("# {} {}", variable.name, variable.description))?;
                run.output.line(format!("# Expects: {}", variable.expects))?;
            }
            let value = match run.environment.variable(variable.name) {
                Some(value) if variable.sensitive && !self.show_sensitive_values && !value.is_empty() => {
                    "******".to_owned()
                }
                Some(value) => value.to_string_lossy().into_owned(),
                None => String::new(),
            };
            run.output.line(format!("{}={value}", variable.name))?;
        }
        if self.show_descriptions {
            run.output
                .line("# Every flag can also be set as COSIGN_<FLAG>, as in COSIGN_OUTPUT_KEY_PREFIX")?;
        }
        Ok(())
    }
}
