package capture

import "encoding/json"

// What a [FactRun] is, in its Addr.
const (
	RunPlan   = "plan"   // what the check is going to do: Data is a [CheckPlan]
	RunBegin  = "begin"  // a run begins: Data is a [CheckRun]
	RunKilled = "killed" // its time is over, and it is about to be killed
	RunEnd    = "end"    // it has ended, and so have its connections: Data is a [CheckRun]
)

// A CheckPlan is what a check is going to do, in JSON.
type CheckPlan struct {
	Mode    string   `json:"mode"`              // "run": a command is run for each case; "host": connections of an app are waited for
	Command []string `json:"command,omitempty"` // with its {places}
	Own     bool     `json:"own,omitempty"`     // the command has no {places}: whatever host it asks for is intercepted
	Host    string   `json:"host"`              // name that the certificates are about; a pattern in mode "host"; "" for whatever is asked for
	Trust   string   `json:"trust"`             // "root": the client was told to trust the CA; "none": it was not
	TLS     []string `json:"tls"`               // "TLS 1.2", "TLS 1.3"
	Tries   int      `json:"tries"`
	Cases   []string `json:"cases"` // IDs of faults and controls, in the order of the report
}

// A CheckRun is one run of the command, in JSON.
type CheckRun struct {
	TLS    string   `json:"tls"`
	Try    int      `json:"try"`              // from 1
	Again  bool     `json:"again,omitempty"`  // the second time, alone and with twice the time, for in the first it never connected
	Listen []string `json:"listen,omitempty"` // where the proxy listens for this run alone
	Exit   int      `json:"exit,omitempty"`   // the command's exit code; 128 and the signal's number
	Killed bool     `json:"killed,omitempty"`
	Said   string   `json:"said,omitempty"`  // the line of its standard error that says best why it stopped, at most 200 bytes
	Error  string   `json:"error,omitempty"` // why it could not be run
	Millis int64    `json:"ms"`              // from its start to its end
}

// CheckEnded is the Error of a run that was cut short because the whole check was.
const CheckEnded = "the check was ended"

// NewRunFact makes a [FactRun]; data is a *CheckPlan, a *CheckRun or nil.
func NewRunFact(what, run, fault string, data any) Fact {
	f := Fact{Kind: FactRun, Addr: what, Detail: run, Outcome: fault}
	if data != nil {
		f.Data, _ = json.Marshal(data) // strings and numbers alone
	}
	return f
}
