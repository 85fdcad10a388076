// Package grade scores an intercepting proxy, this program's own or any other,
// for what it does to the security of its users.
//
// A [Lab] runs origins on this machine's loopback, most of them bad in exactly one
// way, and asks for each through the proxy, as a browser does that checks
// certificates. What both ends saw is the [Evidence]; [Judge], which does nothing
// but think, makes the [score.Report] of it.
package grade

import (
	"crypto/x509"
	"io/fs"

	"explainer/annotate/event"
	"explainer/ca/verify"
	"explainer/capture/handshake"
)

// Evidence is what was seen of a proxy.
type Evidence struct {
	Trials  []*Trial
	CA      []*x509.Certificate // what the proxy's clients are told to trust
	Network Network
	Own     *Own // nil if the proxy is not this program's
}

// trial returns the trial with the ID, or nil.
func (e *Evidence) trial(id string) *Trial {
	for _, t := range e.Trials {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// A Trial is one request through the proxy.
type Trial struct {
	ID     string // of the fault or control (see package ca), or of a trial in lab.go
	Host   string // that was asked for
	Client Client
	Origin Origin
	// Skipped says why the request was not made; empty if it was.
	Skipped event.Text
}

// How the client's side of a trial ended.
type End string

const (
	EndConnect     End = "connect"     // the proxy gave no tunnel
	EndCertificate End = "certificate" // the client refused the certificate that the proxy showed
	EndHandshake   End = "handshake"   // the TLS handshake with the proxy failed
	EndClosed      End = "closed"      // the proxy closed the connection without an answer
	EndPage        End = "page"        // an answer that is not the origin's
	EndAnswer      End = "answer"      // the origin's answer
)

// Client is what the client saw.
type Client struct {
	End     End
	Detail  string // an error's or a status line's words
	Hello   *handshake.ClientHello
	Version uint16 // negotiated with the proxy, 0 if none
	ALPN    string
	Suite   uint16
	Group   uint16            // of the key exchange, 0 if none
	Leaf    *x509.Certificate // what the proxy showed, also where it was refused
	Found   []verify.Check    // what some client would refuse of it, with its chain and staple
	Status  int               // of the answer
	Body    string            // the first bytes of the answer, at most 8 KiB
	HSTS    []string          // Strict-Transport-Security
	AltSvc  []string          // Alt-Svc
}

// Origin is what the origin saw, over all connections of the trial.
type Origin struct {
	Calls    int                      // connections that brought a ClientHello
	Hellos   []*handshake.ClientHello // theirs
	Finished int                      // handshakes that were completed
	Version  uint16                   // of the last of these
	Suite    uint16
	Group    uint16
	ALPN     string
	Found    []verify.Check // what some client would refuse of its certificate, chain and staple
	Bytes    int            // application data received: of requests
	// Ask is how the peer answered a HelloRequest: "client-hello", "alert",
	// "closed", "ignored", or "" if it was not asked.
	Ask string
	// Another is what the peer made of another certificate, one that nobody vouches for, in the
	// handshake that it began then: "taken", "refused", or "" if that was not tried.
	Another string
}

// Network is where the proxy listens.
type Network struct {
	Tried  []string // addresses of this machine other than loopback, with the proxy's port
	Opened []string // those that took a connection
}

// Own is what is known of this program's proxy alone.
type Own struct {
	SecondDiffers bool // another first use makes another key
	// HasModes tells that the files' modes below say who may read them, which on
	// Windows they do not.
	HasModes            bool
	KeyMode, FolderMode fs.FileMode // of the CA's key file and of its folder
	RefusesLoose        bool        // a key file that others may read is not used
	RecordingMode       fs.FileMode // of the recording, with the keys inside
}
