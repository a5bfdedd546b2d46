package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	nodes "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	pods "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

// As kwok's main package does it. It fakes nothing without a configuration: "kwok stages" prints its
// own usual one.
func runKwok() int {
	if len(os.Args) == 2 && os.Args[1] == "stages" {
		fmt.Println(strings.Join([]string{nodes.DefaultNodeInit,
			heartbeat.DefaultNodeHeartbeatWithLease, pods.DefaultPodReady, pods.DefaultPodComplete,
			pods.DefaultPodDelete}, "\n---\n"))
		return 0
	}
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, logger := log.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err == nil {
		command := cmd.NewCommand(ctx)
		command.PersistentFlags().AddFlagSet(flags)
		command.Version = "" // its flag is Kubernetes' here
		err = command.ExecuteContext(ctx)
	}
	if err != nil {
		logger.Error("kwok", err)
		return 1
	}
	return 0
}
