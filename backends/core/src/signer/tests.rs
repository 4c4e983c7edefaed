//! Tests of the contract: what comes back from a store is checked.
