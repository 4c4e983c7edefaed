//! The command line: what each flag does, what is refused, what is printed.

mod surface;
