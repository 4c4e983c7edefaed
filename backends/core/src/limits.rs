//! Every size that a stranger can choose, with its limit. Checked before anything is allocated.

/// A key, certificate or public key file: the largest real ones are a few kilobytes.
pub const MAX_KEY_FILE_BYTES: u64 = 256 * 1024;

/// A password, PIN or token read from a file, descriptor, command or pipe.
pub const MAX_SECRET_BYTES: u64 = 4096;

/// What a message algorithm (pure Ed25519) may hold in memory. Such algorithms sign the whole message, so it cannot
/// be streamed; larger artifacts need a prehash algorithm such as `ed25519-ph`.
pub const MAX_MESSAGE_BYTES: u64 = 1 << 30;

/// PBKDF2 rounds accepted in an encrypted PKCS#8 file: ten times what `openssl pkcs8 -iter` users choose.
pub const MAX_PBKDF2_ROUNDS: u32 = 10_000_000;

/// The largest scrypt N·r accepted in an encrypted PKCS#8 file: 128 MiB of memory at 128 bytes each.
pub const MAX_PKCS8_SCRYPT_BLOCKS: u64 = 1 << 20;

/// bcrypt rounds accepted in an encrypted OpenSSH file (`ssh-keygen -a`, default 16 or 24).
pub const MAX_BCRYPT_ROUNDS: u32 = 1024;
