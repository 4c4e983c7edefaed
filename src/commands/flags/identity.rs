//! Flags that say whose certificate is accepted.

use clap::Args;

use crate::exit::Failure;
use crate::verify::{Identity, Matcher, extension_name, extension_names};

/// Who may have signed, by certificate.
#[derive(Debug, Clone, Default, Args)]
pub struct IdentityFlags {
    /// The signer's name in the certificate, exactly: a mail address, a workflow's URI
    #[arg(long, alias = "cert-identity", value_name = "NAME")]
    pub certificate_identity: Option<String>,

    /// A regular expression that the whole name must match
    #[arg(long, value_name = "PATTERN")]
    pub certificate_identity_pattern: Option<String>,

    /// A regular expression found anywhere in the name, as in Cosign; prefer --certificate-identity-pattern
    #[arg(long, value_name = "PATTERN")]
    pub certificate_identity_regexp: Option<String>,

    /// The issuer that vouches for the name, exactly: the URL of an OIDC provider
    #[arg(long, alias = "cert-oidc-issuer", value_name = "URL")]
    pub certificate_oidc_issuer: Option<String>,

    /// A regular expression that the whole issuer must match
    #[arg(long, value_name = "PATTERN")]
    pub certificate_oidc_issuer_pattern: Option<String>,

    /// A regular expression found anywhere in the issuer, as in Cosign; prefer --certificate-oidc-issuer-pattern
    #[arg(long, value_name = "PATTERN")]
    pub certificate_oidc_issuer_regexp: Option<String>,

    /// Any other fact in the certificate, as buildSignerURI=…; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub certificate_extension: Vec<String>,

    /// The name of the GitHub workflow that signed
    #[arg(long, value_name = "NAME")]
    pub certificate_github_workflow_name: Option<String>,

    /// The ref that the GitHub workflow ran on
    #[arg(long, value_name = "REF")]
    pub certificate_github_workflow_ref: Option<String>,

    /// The repository whose GitHub workflow signed, as OWNER/NAME
    #[arg(long, value_name = "REPOSITORY")]
    pub certificate_github_workflow_repository: Option<String>,

    /// The commit that the GitHub workflow ran on
    #[arg(long, value_name = "SHA")]
    pub certificate_github_workflow_sha: Option<String>,

    /// The event that started the GitHub workflow
    #[arg(long, value_name = "EVENT")]
    pub certificate_github_workflow_trigger: Option<String>,
}

impl IdentityFlags {
    /// The identity that the flags describe; `None` when none is given.
    ///
    /// # Errors
    /// A usage failure for a pattern that is empty or wrong, and where name or issuer is left out: half an identity
    /// is nobody.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Failure> {
        let name = matcher(
            "certificate-identity",
            self.certificate_identity.as_deref(),
            self.certificate_identity_pattern.as_deref(),
            self.certificate_identity_regexp.as_deref(),
        )?;
        let issuer = matcher(
            "certificate-oidc-issuer",
            self.certificate_oidc_issuer.as_deref(),
            self.certificate_oidc_issuer_pattern.as_deref(),
            self.certificate_oidc_issuer_regexp.as_deref(),
        )?;
        let extensions = self.extensions()?;
        match (name, issuer) {
            (Some(name), Some(issuer)) => Ok(Some(Identity { name, issuer: Some(issuer), extensions })),
            (None, None) if extensions.is_empty() => Ok(None),
            (None, _) => Err(Failure::usage_with_hint(
                "an identity needs the signer's name",
                "pass --certificate-identity with the mail address or the workflow's URI",
            )),
            (Some(_), None) => Err(Failure::usage_with_hint(
                "an identity needs its issuer: the same name at another issuer is somebody else",
                "pass --certificate-oidc-issuer, as in https://token.actions.githubusercontent.com",
            )),
        }
    }

    /// The first of these flags that was given: beside a key none of them may stand.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let flags = [
            ("certificate-identity", self.certificate_identity.is_some()),
            ("certificate-identity-pattern", self.certificate_identity_pattern.is_some()),
            ("certificate-identity-regexp", self.certificate_identity_regexp.is_some()),
            ("certificate-oidc-issuer", self.certificate_oidc_issuer.is_some()),
            ("certificate-oidc-issuer-pattern", self.certificate_oidc_issuer_pattern.is_some()),
            ("certificate-oidc-issuer-regexp", self.certificate_oidc_issuer_regexp.is_some()),
            ("certificate-extension", !self.certificate_extension.is_empty()),
            ("certificate-github-workflow-name", self.certificate_github_workflow_name.is_some()),
            ("certificate-github-workflow-ref", self.certificate_github_workflow_ref.is_some()),
            ("certificate-github-workflow-repository", self.certificate_github_workflow_repository.is_some()),
            ("certificate-github-workflow-sha", self.certificate_github_workflow_sha.is_some()),
            ("certificate-github-workflow-trigger", self.certificate_github_workflow_trigger.is_some()),
        ];
        flags.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    /// What to say where a pattern may match more than its writer thinks.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let searched = [
            ("certificate-identity", &self.certificate_identity_regexp),
            ("certificate-oidc-issuer", &self.certificate_oidc_issuer_regexp),
        ];
        let open = |pattern: &str| !(pattern.starts_with('^') && pattern.ends_with('$'));
        searched
            .into_iter()
            .filter(|(_, pattern)| pattern.as_deref().is_some_and(open))
            .map(|(flag, _)| {
                format!(
                    "--{flag}-regexp is found anywhere, so that longer names match too: --{flag}-pattern matches the whole"
                )
            })
            .collect()
    }

    fn extensions(&self) -> Result<Vec<(&'static str, Matcher)>, Failure> {
        let mut found = Vec::new();
        for text in &self.certificate_extension {
            let known = text.split_once('=').and_then(|(name, value)| Some((extension_name(name)?, value)));
            let Some((name, value)) = known else {
                return Err(Failure::usage_with_hint(
                    format!("--certificate-extension {text} names no extension"),
                    format!(
                        "expected NAME=VALUE with a name of {}",
                        extension_names().collect::<Vec<_>>().join(", ")
                    ),
                ));
            };
            found.push((name, Matcher::Exact(value.to_owned())));
        }
        let github = [
            ("githubWorkflowName", &self.certificate_github_workflow_name),
            ("githubWorkflowRef", &self.certificate_github_workflow_ref),
            ("githubWorkflowRepository", &self.certificate_github_workflow_repository),
            ("githubWorkflowSHA", &self.certificate_github_workflow_sha),
            ("githubWorkflowTrigger", &self.certificate_github_workflow_trigger),
        ];
        let given = github.into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, value)));
        found.extend(given.map(|(name, value)| (name, Matcher::Exact(value))));
        Ok(found)
    }
}

fn matcher(
    flag: &str,
    exact: Option<&str>,
    pattern: Option<&str>,
    search: Option<&str>,
) -> Result<Option<Matcher>, Failure> {
    let wrong = |ending: &'static str| {
        move |cause: String| {
            Failure::usage(format!("--{flag}-{ending} is no pattern to verify with: {cause}"))
        }
    };
    match (exact, pattern, search) {
        (None, None, None) => Ok(None),
        (Some(""), None, None) => Err(Failure::usage(format!("--{flag} is empty"))),
        (Some(exact), None, None) => Ok(Some(Matcher::Exact(exact.to_owned()))),
        (None, Some(pattern), None) => Matcher::pattern(pattern).map(Some).map_err(wrong("pattern")),
        (None, None, Some(pattern)) => Matcher::search(pattern).map(Some).map_err(wrong("regexp")),
        _ => Err(Failure::usage(format!("--{flag} is given in more than one form: leave one"))),
    }
}
