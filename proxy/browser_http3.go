package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A HTTP3Front is where a browser is led that calls a host over HTTP/3. No browser takes a
// proxy for QUIC by an option, so it is told that the host is there.
type HTTP3Front struct {
	Host string         // a name in lower case, of letters, digits, hyphens and dots
	Port uint16         // of the URL: 443, but where it says another
	At   netip.AddrPort // UDP, of loopback; see [Proxy.QUIC]
}

// origin is the host and port that it stands for.
func (f HTTP3Front) origin() string { return net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))) }

// chromiumHTTP3 leads Chromium to the fronts: what is added to the list of what goes past the
// proxy, and the arguments. Requests over http and WebSocket stay with the proxy: their schemes
// are not named. A host that is forced has no way back to TCP.
func chromiumHTTP3(fronts []HTTP3Front) (bypass string, argv []string) {
	if len(fronts) == 0 {
		// HTTP/3 would go past an HTTP proxy unseen.
		return "", []string{"--disable-quic"}
	}
	var rules, forced []string
	for _, f := range fronts {
		bypass += ";https://" + f.origin()
		rules = append(rules, "MAP "+f.origin()+" "+f.At.String())
		forced = append(forced, f.origin())
	}
	return bypass, []string{
		"--host-resolver-rules=" + strings.Join(rules, ","),
		"--origin-to-force-quic-on=" + strings.Join(forced, ","),
	}
}

// firefoxHTTP3 are the preferences that lead Firefox to the fronts; none without any.
// Firefox has no rule for ports, so that each of these names has loopback's address and
// the port of its front as alternative service, which is known before the first request. What
// goes past the proxy is decided by a script: lists do not tell https from WebSocket.
func firefoxHTTP3(proxy *url.URL, v Visit) string {
	if len(v.HTTP3) == 0 {
		return ""
	}
	var past []string
	if v.Direct != "" {
		past = append(past, `url.startsWith("http://`+v.Direct+`/")`)
	}
	var services, names []string
	for _, f := range v.HTTP3 {
		// The default port is left out of the URL that the script is given.
		past = append(past, `url.startsWith("https://`+strings.TrimSuffix(f.origin(), ":443")+`/")`)
		services = append(services, fmt.Sprintf("%s;h3=:%d", f.Host, f.At.Port()))
		names = append(names, f.Host)
	}
	script := "data:application/x-ns-proxy-autoconfig,function FindProxyForURL(url, host) { return " +
		strings.Join(past, " || ") + ` ? "DIRECT" : "PROXY ` + proxy.Host + `"; }`
	return fmt.Sprintf(firefoxHTTP3Prefs, script, strings.Join(services, ","), strings.Join(names, ","))
}

// firefoxHTTP3Prefs: HTTP/3 with roots that are not Mozilla's too, and nothing of the names from the DNS, whose
// HTTPS records (RFC 9460) would lead elsewhere.
const firefoxHTTP3Prefs = `user_pref("network.http.http3.enable", true);
user_pref("network.http.http3.disable_when_third_party_roots_found", false);
user_pref("network.proxy.type", 2);
user_pref("network.proxy.autoconfig_url", %q);
user_pref("network.http.http3.alt-svc-mapping-for-testing", %q);
user_pref("network.dns.localDomains", %q);
user_pref("network.dns.upgrade_with_https_rr", false);
user_pref("network.dns.use_https_rr_as_altsvc", false);
user_pref("network.trr.mode", 5);
`
