package check

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"explainer/annotate/text"
	"explainer/ca"
)

// JUnit XML, as CI systems show it.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string      `xml:"classname,attr"`
		Name    string      `xml:"name,attr"`
		Time    string      `xml:"time,attr"`
		Failure *junitWord  `xml:"failure"`
		Error   *junitWord  `xml:"error"`
		Skipped *junitWord  `xml:"skipped"`
		Out     *junitPlain `xml:"system-out"`
	}
	junitWord struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
	junitPlain struct {
		Text string `xml:",chardata"`
	}
)

// JUnit writes the report as JUnit XML: a suite for each TLS version, a test
// case for each case; a leak fails. A control that is refused is an error, and so is a control
// or a critical or high case that could have been tested and was not. What else was not
// tested, and what the client's hello rules out, is skipped.
func (r *Report) JUnit(w io.Writer) error {
	all := junitSuites{Name: "explainer check of " + text.Clean(r.Client)}
	for i, tls := range r.TLS {
		suite := junitSuite{Name: "explainer check of " + text.Clean(r.Client) + ", " + tls}
		millis := int64(0)
		for _, c := range r.Cases {
			o := c.Outcomes[i]
			if o.Absent {
				continue
			}
			millis += o.Millis
			var says []string
			for _, s := range o.Says {
				says = append(says, text.Clean(s.Text))
			}
			tells := strings.Join(says, " ")
			one := junitCase{Class: "explainer.check." + strings.ReplaceAll(tls, " ", ""), Name: c.ID, Time: secondsOf(o.Millis)}
			more := text.Clean(c.Wrong) + "\n" + text.Clean(c.Check) + "\n"
			for _, read := range o.Read {
				if o.Verdict == Leaked {
					more += "An attacker reads: " + text.Clean(read.words().English) + "\n"
				}
			}
			serious := c.Severity == ca.Control || c.Severity == ca.Critical || c.Severity == ca.High
			switch {
			case c.Severity == ca.Control && o.Verdict == Accepted:
			case c.Severity == ca.Control && (o.Verdict == Refused || o.Verdict == RefusedLate), serious && o.Verdict == NotTested && !o.control:
				one.Error = &junitWord{tells, string(o.Verdict), more}
				suite.Errors++
			case o.Verdict == Leaked:
				if c.Fix != nil {
					more += text.Clean(c.Fix.Text) + "\n"
				}
				one.Failure = &junitWord{tells, string(c.Severity), more}
				suite.Failures++
			case o.Verdict == NotTested || o.Verdict == NotApplicable || o.Verdict == Blocked:
				one.Skipped = &junitWord{Message: tells}
				suite.Skipped++
			default:
				one.Out = &junitPlain{tells}
			}
			suite.Cases = append(suite.Cases, one)
		}
		suite.Tests, suite.Time = len(suite.Cases), secondsOf(millis)
		all.Suites = append(all.Suites, suite)
		all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+suite.Tests, all.Failures+suite.Failures, all.Errors+suite.Errors, all.Skipped+suite.Skipped
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(&all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func secondsOf(millis int64) string { return fmt.Sprintf("%d.%03d", millis/1000, millis%1000) }
