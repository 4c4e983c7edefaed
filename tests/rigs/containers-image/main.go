// Decides as podman and CRI-O do, by their library, whether an image may run: policy.json, registries.d, image.
package main

import (
	"context"
	"fmt"
	"os"

	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"
)

func decide(policyFile, registries, name string) error {
	policy, err := signature.NewPolicyFromFile(policyFile)
	if err != nil {
		return err
	}
	judge, err := signature.NewPolicyContext(policy)
	if err != nil {
		return err
	}
	defer judge.Destroy()
	reference, err := docker.ParseReference("//" + name)
	if err != nil {
		return err
	}
	ctx := context.Background()
	source, err := reference.NewImageSource(ctx, &types.SystemContext{
		DockerInsecureSkipTLSVerify: types.OptionalBoolTrue,
		RegistriesDirPath:           registries,
		SystemRegistriesConfPath:    os.DevNull,
		SystemRegistriesConfDirPath: registries,
	})
	if err != nil {
		return err
	}
	defer source.Close()
	_, err = judge.IsRunningImageAllowed(ctx, image.UnparsedInstance(source, nil))
	return err
}

func main() {
	if err := decide(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
