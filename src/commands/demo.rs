//! `demo`: a new key, a real file signed and verified, a changed file refused; every command printed to be copied.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use countersign_core::error::Error;
use countersign_core::{HashAlgorithm, hexadecimal::hex};

use super::Run;
use crate::exit::Failure;

/// Show signing and verifying with a new file key, in a new directory
#[derive(Debug, Args)]
pub(crate) struct Demo {}

impl Demo {
    pub(crate) fn execute(self, run: &mut Run<'_>) -> Result<(), Failure> {
        let directory = tempfile::Builder::new()
            .prefix("countersign-demo-")
            .tempdir()
            .map_err(|cause| Error::io("make", "a directory for the demo", cause))?
            .keep();
        let tool = std::env::current_exe().map_err(|cause| Error::io("find", "this program", cause))?;
        let stage = Stage { tool, directory, password: throw_away_password()? };
        let file = stage.copy_of_the_tool()?;
        run.output.line(format!("# Everything happens in {}", stage.directory.display()))?;
        run.output.line(format!("cd {}", quoted(&stage.directory.display().to_string())))?;
        run.output.line(format!("export COSIGN_PASSWORD={}\n", stage.password))?;
        stage.run(run, "A new key, encrypted with that password", &["generate-key-pair"], true)?;
        stage.run(
            run,
            "Sign a file: this program itself",
            &["sign-blob", "--key", "cosign.key", "--tlog-upload=false", "artifact"],
            true,
        )?;
        let verify = ["verify-blob", "--key", "cosign.pub", "--insecure-ignore-tlog", "artifact"];
        stage.run(run, "Verify it: bundle and key are all that is needed", &verify, true)?;
        stage.append_a_byte(&file)?;
        run.output.line("# One byte more, and it must be refused")?;
        run.output.line("$ printf x >> artifact")?;
        stage.run(run, "", &verify, false)?;
        run.output.line("# Done: a signature was made and verified, and a changed file refused.")?;
        run.output.line(format!(
            "# Remove it all with: rm -r {}",
            quoted(&stage.directory.display().to_string())
        ))?;
        Ok(())
    }
}

struct Stage {
    tool: PathBuf,
    directory: PathBuf,
    password: String,
}

impl Stage {
    fn copy_of_the_tool(&self) -> Result<PathBuf, Error> {
        let file = self.directory.join("artifact");
        std::fs::copy(&self.tool, &file).map_err(|cause| Error::io("copy", self.tool.display(), cause))?;
        Ok(file)
    }

    fn append_a_byte(&self, file: &Path) -> Result<(), Error> {
        use std::io::Write;
        let opened = std::fs::OpenOptions::new().append(true).open(file);
        opened
            .and_then(|mut file| file.write_all(b"x"))
            .map_err(|cause| Error::io("change", file.display(), cause))
    }

    /// Prints a command, runs it with this very program, and demands that it ends as it should.
    fn run(
        &self,
        run: &Run<'_>,
        title: &str,
        arguments: &[&str],
        should_succeed: bool,
    ) -> Result<(), Failure> {
        if !title.is_empty() {
            run.output.line(format!("# {title}"))?;
        }
        run.output.line(format!("$ {} {}", quoted(&self.tool.display().to_string()), arguments.join(" ")))?;
        let ended = Command::new(&self.tool)
            .args(arguments)
            .current_dir(&self.directory)
            .env(crate::env::PASSWORD, &self.password)
            .stdin(Stdio::null())
            .output()
            .map_err(|cause| Error::io("run", self.tool.display(), cause))?;
        run.output.bytes(&ended.stdout)?;
        run.output.bytes(&ended.stderr)?;
        run.output.line("")?;
        if ended.status.success() == should_succeed {
            return Ok(());
        }
        Err(Error::internal(format!("the demo's {} ended with {}", arguments[0], ended.status)).into())
    }
}

fn throw_away_password() -> Result<String, Error> {
    // A key nobody keeps needs no more than to differ from run to run; key generation has its own randomness.
    let key = countersign_core::local_key::LocalKey::generate(countersign_core::KeyType::P256)?;
    Ok(hex(&HashAlgorithm::Sha256.digest(key.public_key().spki_der()).bytes()[..8]))
}

/// In single quotes where a shell would read the text otherwise.
fn quoted(text: &str) -> String {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c)) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
