package check_test

import (
	"encoding/xml"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// A junitNode is an element of a report in JUnit XML.
type junitNode struct {
	XMLName xml.Name
	Attrs   []xml.Attr  `xml:",any,attr"`
	Nodes   []junitNode `xml:",any"`
	Text    string      `xml:",chardata"`
}

// junitForm is what readers of JUnit XML (Jenkins, GitLab, Surefire) agree upon: of each element the
// attributes that must be there, those that may, and what may stand in it.
var junitForm = map[string]struct{ must, may, within []string }{
	"testsuites": {[]string{"name", "tests", "failures", "errors", "skipped"}, nil, []string{"testsuite"}},
	"testsuite":  {[]string{"name", "tests", "failures", "errors", "skipped", "time"}, nil, []string{"testcase"}},
	"testcase":   {[]string{"classname", "name", "time"}, nil, []string{"failure", "error", "skipped", "system-out"}},
	"failure":    {[]string{"message", "type"}, nil, nil},
	"error":      {[]string{"message", "type"}, nil, nil},
	"skipped":    {nil, []string{"message"}, nil},
	"system-out": {nil, nil, nil},
}

var seconds = regexp.MustCompile(`^\d+\.\d{3}$`)

// checkJUnit holds a report in JUnit XML against the form: elements, attributes, sums, times, names that occur once.
func checkJUnit(t *testing.T, report []byte) {
	t.Helper()
	var root junitNode
	if err := xml.Unmarshal(report, &root); err != nil {
		t.Fatalf("%v:\n%s", err, report)
	}
	if root.XMLName.Local != "testsuites" {
		t.Fatalf("the root is %s", root.XMLName.Local)
	}
	seen := map[string]bool{}
	var walk func(n junitNode) (sums [4]int)
	walk = func(n junitNode) (sums [4]int) {
		name := n.XMLName.Local
		form, known := junitForm[name]
		if !known || n.XMLName.Space != "" {
			t.Errorf("an element %s %s", n.XMLName.Space, name)
		}
		has := map[string]string{}
		for _, a := range n.Attrs {
			if _, twice := has[a.Name.Local]; twice || !slices.Contains(form.must, a.Name.Local) && !slices.Contains(form.may, a.Name.Local) {
				t.Errorf("%s has the attribute %s", name, a.Name.Local)
			}
			has[a.Name.Local] = a.Value
		}
		for _, a := range form.must {
			if has[a] == "" {
				t.Errorf("%s has no %s", name, a)
			}
		}
		if at, ok := has["time"]; ok && !seconds.MatchString(at) {
			t.Errorf("%s took %q", name, at)
		}
		if name == "testcase" {
			if id := has["classname"] + " " + has["name"]; seen[id] {
				t.Errorf("two are %s", id)
			} else {
				seen[id] = true
			}
			sums[0] = 1
		}
		outcomes := 0
		for _, child := range n.Nodes {
			if !slices.Contains(form.within, child.XMLName.Local) {
				t.Errorf("%s in %s", child.XMLName.Local, name)
			}
			if i := slices.Index([]string{"failure", "error", "skipped"}, child.XMLName.Local); i >= 0 {
				outcomes++
				sums[i+1]++
			}
			for i, n := range walk(child) {
				sums[i] += n
			}
		}
		if outcomes > 1 {
			t.Errorf("%s has %d outcomes", has["name"], outcomes)
		}
		for i, sum := range []string{"tests", "failures", "errors", "skipped"} {
			if value, ok := has[sum]; ok && value != strconv.Itoa(sums[i]) {
				t.Errorf("%s says %s=%s, and has %d", name, sum, value, sums[i])
			}
		}
		return sums
	}
	walk(root)
	if t.Failed() {
		t.Logf("%s", report)
	}
}
