//! As much of JSON Schema (draft 2020-12) as `docs/report.schema.json` uses. A keyword that is not known here is an error, so
//! that no rule of the schema goes unchecked. (The validators to be had bring several dozen crates for regular
//! expressions, URLs and host names, none of which the schema uses.)

use serde_json::Value;

/// What is wrong with `value`, each with its place.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        let mut wrong = |why: String| faults.push(format!("{place}: {why}"));
        match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let at = rule.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
                let target = root.pointer(at).unwrap_or_else(|| panic!("the schema has no {at}"));
                check(root, target, value, place, faults);
            }
            "type" => {
                let types = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                if !types.iter().any(|name| is_of_type(value, name.as_str().expect("a name"))) {
                    wrong(format!("{value} is not of type {rule}"));
                }
            }
            "const" if value != rule => wrong(format!("{value} is not {rule}")),
            "enum" if !list(rule).contains(value) => wrong(format!("{value} is none of {rule}")),
            "minimum" if value.as_f64() < rule.as_f64() => wrong(format!("{value} is below {rule}")),
            "minItems" if value.as_array().map(|items| items.len() as u64) < rule.as_u64() => {
                wrong(format!("{value} has fewer than {rule} items"));
            }
            "minProperties" if value.as_object().map(|object| object.len() as u64) < rule.as_u64() => {
                wrong(format!("{value} has fewer than {rule} properties"));
            }
            "const" | "enum" | "minimum" | "minItems" | "minProperties" => {}
            "required" => {
                for name in list(rule).iter().filter_map(Value::as_str) {
                    if value.get(name).is_none() {
                        wrong(format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().expect("an object of schemas") {
                    if let Some(value) = value.get(name) {
                        check(root, rule, value, &format!("{place}/{name}"), faults);
                    }
                }
            }
            "additionalProperties" => {
                assert_eq!(*rule, Value::Bool(false), "only false is known");
                let known =
                    schema.get("properties").and_then(Value::as_object).expect("properties beside it");
                for name in value.as_object().into_iter().flat_map(|object| object.keys()) {
                    if !known.contains_key(name) {
                        wrong(format!("{name} is not in the schema"));
                    }
                }
            }
            "items" => {
                for (at, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, value, &format!("{place}/{at}"), faults);
                }
            }
            "oneOf" => {
                let fits = |one: &&Value| {
                    let mut faults = Vec::new();
                    check(root, one, value, place, &mut faults);
                    faults.is_empty()
                };
                let fitting = list(rule).iter().filter(fits).count();
                if fitting != 1 {
                    wrong(format!("{value} fits {fitting} of the alternatives"));
                }
            }
            unknown => panic!("the keyword {unknown} of the schema is not known to this test"),
        }
    }
}

fn list(rule: &Value) -> &[Value] {
    rule.as_array().expect("a list")
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} of the schema is not known to this test"),
    }
}
