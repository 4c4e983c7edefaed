//! What is read of a key, and refused.
