//! What a registry asks for when it answers 401 (RFC 9110 11.6.1, RFC 6750 3).

/// A way to say who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password (RFC 7617).
    Basic,
    /// A token from elsewhere.
    Bearer {
        /// Who gives it.
        realm: String,
        /// For whom.
        service: Option<String>,
        /// To do what.
        scope: Option<String>,
    },
}

/// Reads the headers `WWW-Authenticate`; of a kind that is not known here nothing is said. The first that names a giver of
/// tokens goes before one that wants the password itself.
pub(super) fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let mut found = Vec::new();
    for (scheme, parameters) in headers.flat_map(split) {
        let parameter = |name: &str| {
            let mut same = parameters.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
            same.next().map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            found.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = parameter("realm")
        {
            found.push(Challenge::Bearer { realm, service: parameter("service"), scope: parameter("scope") });
        }
    }
    let bearer = found.iter().position(|one| *one != Challenge::Basic);
    (!found.is_empty()).then(|| found.swap_remove(bearer.unwrap_or(0)))
}

type Parameters = Vec<(String, String)>;

/// The challenges of one header, each with its parameters.
fn split(header: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    for part in at_commas(header) {
        let (before, value) = part.split_once('=').unwrap_or((part, ""));
        // A word before the name of the first parameter begins another challenge.
        let name = match before.trim().split_once(char::is_whitespace) {
            Some((scheme, name)) => {
                challenges.push((scheme.to_owned(), Vec::new()));
                name.trim()
            }
            None if !part.contains('=') => {
                challenges.push((before.trim().to_owned(), Vec::new()));
                continue;
            }
            None => before.trim(),
        };
        if let Some((_, parameters)) = challenges.last_mut() {
            parameters.push((name.to_owned(), unquoted(value.trim())));
        }
    }
    challenges
}

/// Parts between commas that stand outside of quotes.
fn at_commas(header: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, letter) in header.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&header[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&header[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut escaped = false;
    let kept = inner.chars().filter(|letter| {
        escaped = *letter == '\\' && !escaped;
        !escaped
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service: own(service), scope: own(scope) }
    }

    #[test]
    fn reads_what_registries_send() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let expected = bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:a/b:pull,push"),
        );
        assert_eq!(choose([hub].into_iter()), Some(expected.clone()));
        // ACR offers both in two headers, others in one.
        assert_eq!(choose([r#"Basic realm="x""#, hub].into_iter()), Some(expected.clone()));
        assert_eq!(choose([format!(r#"Basic realm="a, b", {hub}"#).as_str()].into_iter()), Some(expected));
        assert_eq!(choose(["basic"].into_iter()), Some(Challenge::Basic));
        assert_eq!(
            choose([r#"BEARER Realm=https://r/t , error="x\"y,z""#].into_iter()),
            Some(bearer("https://r/t", None, None))
        );
    }

    #[test]
    fn says_nothing_of_what_it_does_not_know() {
        for header in
            ["", ",", "Negotiate", "Bearer", r#"Bearer scope="x""#, r#"realm="x""#, "\"", "=", " = , =\"\\"]
        {
            assert_eq!(choose([header].into_iter()), None, "{header}");
        }
    }
}
