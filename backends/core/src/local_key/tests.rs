//! Tests of private key forms.
