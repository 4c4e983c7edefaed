//! Keys in services, a module a scheme: the library and the binary against real servers or stand-ins, with faults between.

mod awskms;
mod gcpkms;
mod gitlab;
mod hashivault;
mod world;
