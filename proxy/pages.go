package proxy

import (
	"bytes"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"explainer/annotate/words"
	"explainer/capture"
	"explainer/capture/printable"
)

// A page is what the proxy itself says to a browser.
type page struct {
	Title  string
	Lead   string
	Rows   []row
	Advice string
}

type row struct{ Name, Value string }

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
body { font: 1.05rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; color: #1b1b1b; background: #fff }
h1 { font-size: 1.5rem; line-height: 1.25 }
dl { border-left: 3px solid #888; padding-left: 1rem }
dt { color: #555; font-size: .9rem }
dd { margin: 0 0 .6rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere }
footer { margin-top: 2.5rem; color: #555; font-size: .9rem }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #181818 } dt, footer { color: #aaa } }
</style>
<h1>{{.Title}}</h1>
<p>{{.Lead}}</p>
{{with .Rows}}<dl>{{range .}}<dt>{{.Name}}</dt><dd>{{.Value}}</dd>{{end}}</dl>{{end}}
{{with .Advice}}<p>{{.}}</p>{{end}}
<footer>This page comes from explainer, the proxy on the way, not from the site.</footer>
</html>
`))

// printable is the page without what would do something on a terminal, or write in
// another direction: names and subjects in it are those of a stranger's certificate.
func (p page) printable() page {
	p.Title, p.Lead, p.Advice = printable.Text(p.Title), printable.Text(p.Lead), printable.Text(p.Advice)
	rows := make([]row, len(p.Rows))
	for i, r := range p.Rows {
		rows[i] = row{printable.Text(r.Name), printable.Text(r.Value)}
	}
	p.Rows = rows
	return p
}

// text is the page for clients that do not ask for HTML.
func (p page) text() string {
	var b strings.Builder
	b.WriteString(p.Title + "\n\n" + p.Lead + "\n")
	for _, r := range p.Rows {
		b.WriteString("  " + r.Name + ": " + r.Value + "\n")
	}
	if p.Advice != "" {
		b.WriteString("\n" + p.Advice + "\n")
	}
	b.WriteString("\nThis answer comes from explainer, the proxy on the way, not from the site.\n")
	return b.String()
}

// render returns the page as the client that sent accept reads it best.
func (p page) render(accept string) (contentType string, body []byte) {
	p = p.printable()
	if !strings.Contains(accept, "text/html") {
		return "text/plain; charset=utf-8", []byte(p.text())
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return "text/plain; charset=utf-8", []byte(p.text())
	}
	return "text/html; charset=utf-8", b.Bytes()
}

// pageHeader returns the header fields of a page. No cache may keep it, and the
// connection that brought it is not used again: the next may fare better.
func pageHeader(contentType string, body []byte) http.Header {
	return http.Header{
		"Content-Type":            {contentType},
		"Content-Length":          {strconv.Itoa(len(body))},
		"Cache-Control":           {"no-store"},
		"Connection":              {"close"},
		"X-Content-Type-Options":  {"nosniff"},
		"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"},
	}
}

// answer sends a page to the client of t and records that the proxy itself answered.
func (p *Proxy) answer(w http.ResponseWriter, r *http.Request, t *Tap, status int, pg page, why string) {
	outcome := "error-page"
	if status == http.StatusOK || status == http.StatusNotFound {
		outcome = "not-a-proxy-request"
	}
	p.Recorder.Fact(capture.Fact{Kind: capture.FactOwnAnswer, Conn: t.number(), Outcome: outcome, Detail: why})
	contentType, body := pg.render(r.Header.Get("Accept"))
	for name, values := range pageHeader(contentType, body) {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// serveDirect answers requests that treat the proxy as a web server.
func (p *Proxy) serveDirect(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	if r.URL.Path != "/" {
		status = http.StatusNotFound
	}
	addr := r.Context().Value(http.LocalAddrContextKey)
	where := ""
	if a, ok := addr.(interface{ String() string }); ok {
		where = a.String()
	}
	p.answer(w, r, tapOf(r), status, page{
		Title: "This is a proxy",
		Lead:  "You have reached explainer directly. It is not a web site: set it as the HTTP proxy of a browser or a program, and it explains the HTTPS connections that pass.",
		Rows: []row{
			{"Proxy, for http and https", where},
			{"With curl", "curl -x http://" + where + " https://" + siteDomain + "/"},
		},
		Advice: "Once it is set, open http://" + siteDomain + "/ to fetch its CA certificate and to test whether this browser trusts it.",
	}, "a request for the proxy itself")
}

// failures explains each originError.ID.
var failures = map[string]struct{ title, lead, advice string }{
	"no-such-site":    {"No such built-in site", "Names under explainer.test are served by the proxy itself, and none has this name and port.", "http://explainer.test/ lists those that exist."},
	"no-such-name":    {"This name does not exist", "The name system (DNS) has no address for this host, so the proxy had nobody to call.", "Check the spelling. --map HOST=ADDRESS:PORT gives a name an address of your choice."},
	"lookup":          {"The name could not be looked up", "The name system (DNS) gave no answer for this host.", "Check that this machine is online and its resolver works."},
	"refused":         {"The origin refuses connections", "The machine is there, but no program listens on this port.", "Check the port, and that the server runs."},
	"timeout":         {"The origin does not answer", "The proxy waited ten seconds for a TCP connection.", "The machine may be off, or a firewall drops the packets."},
	"unreachable":     {"The origin cannot be reached", "There is no route from this machine to the origin.", "Check this machine's network connection."},
	"loop":            {"The proxy was asked to call itself", "The address leads back to the proxy that is asked. Calling it would never end.", "Ask for the site behind the proxy instead."},
	"near":            {"A page of the web asks for this machine or its private network", "By its header fields, this request is of a web page from farther away than what it asks for, and this proxy is told to refuse that (--on-local-request refuse).", "If you want it, open the address yourself, or start the proxy without that option."},
	"near-name":       {"This name leads to this machine or its private network", "This proxy is told to refuse what pages of the web ask of these (--on-local-request refuse), and a page may have given its own name such an address (DNS rebinding).", "If you know the name, --map HOST=ADDRESS:PORT says where it leads."},
	"other":           {"No connection to the origin", "The system could not open a TCP connection.", ""},
	"canceled":        {"Cancelled", "The client hung up before the origin answered.", ""},
	"bad-answer":      {"The origin's answer is not passed on", "It breaks the rules of HTTP in a way that two readers could take differently, so that one could be told what was meant for the other.", ""},
	"upstream":        {"The upstream proxy did not help", "This proxy reaches origins through another proxy, which gave no tunnel to this one.", "Check --upstream-proxy, or the variables HTTPS_PROXY and HTTP_PROXY that it was taken from."},
	"tls":             {"No TLS with the origin", "The TCP connection stands, but the TLS handshake on it failed.", ""},
	"tls-refused":     {"The origin refuses the proxy's hello", "The origin answered the first message of the TLS handshake, the ClientHello, with an alert. Its certificate was not seen.", ""},
	"tls-old":         {"The origin chose an old version of TLS", "The origin answered with a version before TLS 1.2, which the proxy does not speak. Its certificate was not judged.", ""},
	"tls-closed":      {"The origin hangs up", "The origin ended the connection when it had got the first message of the TLS handshake, the ClientHello, and said nothing.", ""},
	"tls-not":         {"The origin does not speak TLS here", "The TCP connection stands, but what the origin answered to the first message of the TLS handshake is no TLS.", "Check the port: another protocol is spoken on it."},
	"tls-judged":      {"The origin's handshake broke off", "The proxy had judged the origin's certificate; after that the TLS handshake failed.", ""},
	"tls-client-cert": {"The origin wants a certificate of the client", "The origin asked for a certificate of its client, the proxy has none for it, and the origin broke off with an alert. The proxy cannot use your client's own certificate: it does not have its private key.", "--client-cert HOST=FILE gives the proxy a certificate and its private key for this origin."},
	"tls-timeout":     {"The origin does not finish the handshake", "The proxy waited ten seconds for the TLS handshake with the origin.", ""},

	"expired":          {"The origin's certificate has expired", "Its time is over. Nobody vouches any more that this key belongs to this site.", certificateAdvice},
	"not-yet-valid":    {"The origin's certificate is not valid yet", "Its time has not begun; or the clock of this machine is wrong.", certificateAdvice},
	"wrong-host":       {"The certificate is for another site", "The origin showed a certificate that does not name the host that was asked for.", certificateAdvice},
	"untrusted-root":   {"Nobody trusted vouches for this certificate", "The chain of certificates does not lead to a root that this machine trusts. ", certificateAdvice},
	"issuer-unknown":   {"The certificate's issuer is not known here", "The origin showed a certificate whose issuer this machine does not know, and did not send that one's own certificate.", certificateAdvice},
	"self-signed":      {"The certificate vouches for itself", "The origin signed its certificate itself. Anybody can make one like it.", certificateAdvice + " --origin-ca FILE trusts exactly this one."},
	"incomplete-chain": {"The certificate's issuer is not known here", "The origin showed a certificate whose issuer this machine does not know, and did not send that one's own certificate. It says where that can be fetched: some browsers fetch or remember it; the proxy does not.", certificateAdvice},
	"unlike":           {"No certificate like the origin's can be made", "The proxy shows its clients a certificate of its own that is like the origin's, no better and no worse. Like this one it can make none.", ""},
	"leaked-key":       {"The certificate hangs on a key that everybody has", "A key in the chain was published, so that anybody can make such a certificate for any site.", certificateAdvice},
	"own-ca":           {"The certificate comes from this very proxy", "The origin showed a certificate that was signed by this proxy's own CA. That CA vouches for the proxy towards its own browsers and for nobody else: either another such proxy is on the way, or somebody has stolen the key.", "If you did not set up a second proxy yourself, take the CA out of every program that trusts it, and delete its folder (explainer ca show names it): the next start makes a new one."},
}

// faultPage explains why a request is not passed on.
func faultPage(f *fault) page {
	pg := page{
		Title:  "This request is not passed on",
		Lead:   "This proxy does not take all that HTTP allows.",
		Rows:   []row{{"What is wrong", f.why}},
		Advice: "The origin did not get it as a whole request. Asked directly, it might have taken it.",
	}
	if f.status == http.StatusBadRequest {
		pg.Lead = "It breaks the rules of HTTP in a way that two readers could take differently. So one request is smuggled inside another."
	}
	return pg
}

const certificateAdvice = "This is step 4 of the textbook, and it failed: the proxy checked, stopped, and sent no byte of your request."

// failurePage explains why there is no origin to talk to.
func failurePage(e *originError) page {
	f, ok := failures[e.ID]
	for _, reason := range []string{"issuer-unknown", "incomplete-chain", "leaked-key"} {
		if e.ID != "own-ca" && slices.Contains(e.Found, reason) {
			f = failures[reason]
			ok = true
		}
	}
	if !ok || e.ID == "other" && len(e.Certs) > 0 { // not of the connection
		f.title, f.lead = "The origin's certificate cannot be verified", "The check of the certificate failed."
		f.advice = certificateAdvice
	}
	if e.Missing != "" {
		f.advice += " Nobody known here is " + strconv.Quote(e.Missing) + ": if you trust that authority, --origin-ca FILE, with its certificate in FILE, adds it to the roots."
	}
	pg := page{Title: f.title, Lead: f.lead, Advice: f.advice, Rows: []row{{"Asked for", e.Host}}}
	if e.Addr != "" {
		pg.Rows = append(pg.Rows, row{"Called", e.Addr})
	}
	if e.Detail != "" {
		pg.Rows = append(pg.Rows, row{"In the program's words", e.Detail})
	}
	if len(e.lacking) > 0 {
		pg.Rows = append(pg.Rows, row{"Your client offers, this proxy cannot", listed(e.lacking, 12)})
	}
	if r := e.replayed; r != nil {
		pg.Lead += " " + replayWords(r)
		if r.Outcome == "answered" {
			pg.Rows = append(pg.Rows, row{"To your client's own hello the origin chose", r.Detail})
			pg.Advice = strings.TrimSpace(pg.Advice + " --on-unsupported tunnel passes such a connection on as it is, without opening it.")
		}
	}
	for _, c := range e.failures {
		said := words.Reason(c.Reason, e.Host, c.Detail("missing")).English
		var details []string
		for _, d := range c.Details {
			if d.Name != "missing" {
				details = append(details, d.Name+" "+d.Value)
			}
		}
		if len(details) > 0 {
			said += " (" + strings.Join(details, "; ") + ")"
		}
		pg.Rows = append(pg.Rows, row{"What is wrong", said})
	}
	if e.unmirrored {
		pg.Advice += " Where it can make an equally bad certificate, the proxy shows that to the browser and leaves the decision to it; for this one it cannot."
	}
	if len(e.Certs) > 0 {
		leaf := e.Certs[0]
		names := append([]string(nil), leaf.DNSNames...)
		for _, ip := range leaf.IPAddresses {
			names = append(names, ip.String())
		}
		if len(names) > 10 {
			names = append(names[:10], "...")
		}
		pg.Rows = append(pg.Rows,
			row{"Certificate for", strings.Join(names, ", ")},
			row{"Issued by", leaf.Issuer.String()},
			row{"Valid", leaf.NotBefore.UTC().Format(time.DateTime) + " to " + leaf.NotAfter.UTC().Format(time.DateTime) + " UTC"},
		)
	}
	return pg
}

// replayWords says what came of the client's own hello.
func replayWords(f *capture.Fact) string {
	switch {
	case f.Outcome == "answered" && f.Addr != "":
		return "To your client's own ClientHello, sent to it byte for byte, it answered, and chose what this proxy cannot: " + f.Addr + "."
	case f.Outcome == "answered":
		return "To your client's own ClientHello, sent to it byte for byte, it answered. As far as its choice stands in clear the proxy could have spoken it too, so it is something else in the proxy's hello that the origin does not take."
	case f.Outcome == "refused":
		return "Your client's own ClientHello, sent to it byte for byte, it refused as well, with the alert " + f.Detail + "."
	case f.Outcome == "closed":
		return "Your client's own ClientHello, sent to it byte for byte, it did not answer either: it hung up."
	}
	return "What it would make of your client's own ClientHello could not be found out."
}

// listed is at most n of the words.
func listed(words []string, n int) string {
	if len(words) > n {
		return strings.Join(words[:n], ", ") + " and " + strconv.Itoa(len(words)-n) + " more"
	}
	return strings.Join(words, ", ")
}
