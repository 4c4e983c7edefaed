//! Keys in services, a module a scheme: the library and the binary against real servers or stand-ins, with faults between.

mod awskms;
mod azurekms;
mod fault_page;
mod gcpkms;
mod github;
mod gitlab;
mod hashivault;
mod k8s;
mod matrix;
mod plugin;
mod silent;
mod world;
mod wrong_signatures;
