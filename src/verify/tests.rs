//! Tests of the verification rules: each accept and its refusals.
