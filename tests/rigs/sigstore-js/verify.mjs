// Verifies a bundle that a key signed, with sigstore-js: TRUSTED_ROOT KEY BUNDLE ARTIFACT [LOGS]. LOGS: entries in logs that it
// must have, 1 where nothing is said. Exit code 0 accepts.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { Verifier, toSignedEntity, toTrustMaterial } from '@sigstore/verify';

const [trustedRoot, key, bundle, artifact, logs = '1'] = process.argv.slice(2);
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));
try {
  const publicKey = createPublicKey(readFileSync(key));
  const finder = () => ({ publicKey, validFor: () => true });
  const trust = toTrustMaterial(TrustedRoot.fromJSON(json(trustedRoot)), finder);
  const verifier = new Verifier(trust, { tlogThreshold: Number(logs), ctlogThreshold: 0, tsaThreshold: 0 });
  verifier.verify(toSignedEntity(bundleFromJSON(json(bundle)), readFileSync(artifact)));
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
}
