//! Tests of bundle reading and writing.
