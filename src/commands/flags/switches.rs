//! Go's on-and-off flags: `--b64`, `--b64=false`, `COSIGN_B64=0` all work; the value needs its `=`.

use clap::{Arg, ArgAction, Command};

/// Lets every plain switch of the command line take a value.
pub fn accept_values(command: Command) -> Command {
    command.mut_args(accept_value).mut_subcommands(accept_values)
}

fn accept_value(argument: Arg) -> Arg {
    if !matches!(argument.get_action(), ArgAction::SetTrue) {
        return argument;
    }
    let on_by_default = argument.get_default_values().iter().any(|value| value == "true");
    argument
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value(if on_by_default { "true" } else { "false" })
        .value_parser(parse_bool)
        .hide_default_value(!on_by_default)
        .value_name("BOOL")
}

/// The spellings of Go's `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}
