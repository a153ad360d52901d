// The one program of the image that real nodes have: it holds a pod's namespaces open, answers HTTP with the pod's name, and
// asks others by HTTP. A static binary, so that its image needs nothing else.
//
//	pod                 waits until it is asked to end (what a pod's sandbox does)
//	pod serve ADDRESS   answers every request with the pod's name
//	pod get URL         prints what the URL answers; to the API server it shows the pod's ServiceAccount token
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	account = "/var/run/secrets/kubernetes.io/serviceaccount"
	limit   = 5 * time.Second
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
		<-ended
		return nil
	case len(args) == 2 && args[0] == "serve":
		return serve(args[1])
	case len(args) == 2 && args[0] == "get":
		return get(args[1])
	}
	return fmt.Errorf("usage: pod [serve ADDRESS | get URL], not %q", args)
}

func serve(address string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	fmt.Printf("%s serves on %s\n", name, address)
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, name) })
	return http.ListenAndServe(address, answer)
}

func get(url string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: limit}
	if request.URL.Scheme == "https" {
		if err := asAccount(client, request); err != nil {
			return err
		}
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}

func asAccount(client *http.Client, request *http.Request) error {
	token, err := os.ReadFile(account + "/token")
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(account + "/ca.crt")
	if err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return nil
}
