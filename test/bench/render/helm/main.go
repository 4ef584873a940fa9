// Command helm renders charts with Helm's own packages, in one process that goes on living: one JSON line in, one out.
//
//	{"chart":"web.tgz","release":"rel","namespace":"demo","kubeVersion":"v1.33.0","values":"replicas: 2\n"} -> {"ms":3.2,"bytes":5469}
//
// What is timed is what `helm template` does between its flags and its output: load, dependencies, values, schema, templates, order.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
)

type request struct {
	Chart       string `json:"chart"`
	Release     string `json:"release"`
	Namespace   string `json:"namespace"`
	KubeVersion string `json:"kubeVersion"`
	Values      string `json:"values"`
}

type answer struct {
	Ms    float64 `json:"ms"`
	Bytes int     `json:"bytes"`
	Err   string  `json:"err,omitempty"`
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		if err := json.Unmarshal(line, &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		began := time.Now()
		text, err := rendered(asked)
		told := answer{Ms: float64(time.Since(began).Nanoseconds()) / 1e6, Bytes: len(text)}
		if err != nil {
			told.Err = err.Error()
		}
		_ = out.Encode(told)
	}
}

func rendered(asked request) (string, error) {
	chart, err := loader.Load(asked.Chart)
	if err != nil {
		return "", err
	}
	values, err := chartutil.ReadValues([]byte(asked.Values))
	if err != nil {
		return "", err
	}
	if err := chartutil.ProcessDependenciesWithMerge(chart, values); err != nil {
		return "", err
	}
	version, err := chartutil.ParseKubeVersion(asked.KubeVersion)
	if err != nil {
		return "", err
	}
	capabilities := &chartutil.Capabilities{
		KubeVersion: *version,
		APIVersions: chartutil.DefaultVersionSet,
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}
	release := chartutil.ReleaseOptions{Name: asked.Release, Namespace: asked.Namespace, Revision: 1, IsInstall: true}
	given, err := chartutil.ToRenderValues(chart, values, release, capabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Engine{}.Render(chart, given)
	if err != nil {
		return "", err
	}
	for path := range files {
		if strings.HasSuffix(path, "NOTES.txt") {
			delete(files, path)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, manifest := range manifests {
		fmt.Fprintf(&text, "---\n# Source: %s\n%s\n", manifest.Name, manifest.Content)
	}
	for _, hook := range hooks {
		fmt.Fprintf(&text, "---\n# Source: %s\n%s\n", hook.Path, hook.Manifest)
	}
	return text.String(), nil
}
