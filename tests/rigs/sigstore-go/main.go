// Verifies a bundle that a key signed, with sigstore-go: TRUSTED_ROOT KEY BUNDLE ARTIFACT. Exit code 0 accepts.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// A key that is always valid.
type always struct{ signature.Verifier }

func (always) ValidAtTime(time.Time) bool { return true }

// The verifier of Sigstore's registry for a key: each curve with its own hash.
func verifier(key crypto.PublicKey) (signature.Verifier, error) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		hashes := map[int]crypto.Hash{256: crypto.SHA256, 384: crypto.SHA384, 521: crypto.SHA512}
		return signature.LoadVerifier(key, hashes[key.Curve.Params().BitSize])
	case ed25519.PublicKey:
		return signature.LoadED25519phVerifier(key)
	default:
		return signature.LoadVerifier(key, crypto.SHA256)
	}
}

func run(trusted, key, bundlePath, artifact string) error {
	text, err := os.ReadFile(key)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s is no PEM", key)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return err
	}
	ours, err := verifier(public)
	if err != nil {
		return err
	}
	trustedRoot, err := root.NewTrustedRootFromPath(trusted)
	if err != nil {
		return err
	}
	keys := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return always{ours}, nil
	})
	material := root.TrustedMaterialCollection{trustedRoot, keys}
	judge, err := verify.NewVerifier(material, verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	if err != nil {
		return err
	}
	signed, err := bundle.LoadJSONFromPath(bundlePath)
	if err != nil {
		return err
	}
	file, err := os.Open(artifact)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = judge.Verify(signed, verify.NewPolicy(verify.WithArtifact(file), verify.WithKey()))
	return err
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "expected TRUSTED_ROOT KEY BUNDLE ARTIFACT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
