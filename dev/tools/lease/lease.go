package main

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// What kube-controller-manager and kube-scheduler have by default.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// kubeconfig: empty in a pod. release: whether a candidate that is told to end gives its Lease up (ReleaseOnCancel). work: done while it leads.
type candidacy struct {
	kubeconfig, namespace, name, identity string
	release                               bool
	work                                  func(context.Context)
}

// elect competes for a Lease and leads at most once: like the components of Kubernetes, it ends when it has lost the Lease.
func elect(ctx context.Context, as candidacy) error {
	config, err := clientcmd.BuildConfigFromFlags("", as.kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	var working sync.WaitGroup
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: as.namespace, Name: as.name},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: as.identity},
		},
		LeaseDuration:   leaseDuration,
		RenewDeadline:   renewDeadline,
		RetryPeriod:     retryPeriod,
		ReleaseOnCancel: as.release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) { working.Go(func() { as.work(leading) }) },
			OnStoppedLeading: func() {},
			OnNewLeader: func(leader string) {
				if leader != as.identity {
					say("waits")
				}
			},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	working.Wait()
	return nil
}
