package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAccessFromOutside has a network of its own, in which two addresses are two machines: a client with
// another address than the proxy's is asked for the credential, which is neither told nor passed on.
func TestAccessFromOutside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const script = `
set -e
ip link set lo up
ip addr add 192.0.2.1/32 dev lo
ip addr add 192.0.2.2/32 dev lo
ip addr add 192.0.2.3/32 dev lo
explainer proxy --home "$DIR/home" --listen-host 192.0.2.1 -p 8080 --allow 192.0.2.3 -w "$DIR/r.pcapng" >"$DIR/story" 2>"$DIR/err" &
pid=$!
until grep -q 'try: curl' "$DIR/err"; do kill -0 $pid; done
url=$(grep -o 'http://192.0.2.1:8080/[A-Z0-9]*' "$DIR/err" | head -1)
token=${url##*/}
get() { curl -sS -o /dev/null -w '%{http_code} %{http_connect}\n' --cacert "$DIR/home/ca.pem" "$@" || true; }
echo "its own: $(get --interface 192.0.2.1 -x http://192.0.2.1:8080 https://tls13.explainer.test/)"
echo "other: $(get --interface 192.0.2.2 -x http://192.0.2.1:8080 https://tls13.explainer.test/ 2>/dev/null)"
echo "plain: $(get --interface 192.0.2.2 -x http://192.0.2.1:8080 http://explainer.test/)"
echo "direct: $(get --interface 192.0.2.2 http://192.0.2.1:8080/)"
echo "wrong: $(get --interface 192.0.2.2 http://192.0.2.1:8080/AAAA)"
echo "password: $(get --interface 192.0.2.2 -x http://me:$token@192.0.2.1:8080 https://tls13.explainer.test/)"
echo "allowed: $(get --interface 192.0.2.3 -x http://192.0.2.1:8080 https://tls13.explainer.test/)"
echo "opened: $(get --interface 192.0.2.2 "$url")"
echo "then: $(get --interface 192.0.2.2 -x http://192.0.2.1:8080 https://tls13.explainer.test/)"
kill -INT $pid
wait $pid
for told in "$DIR/story"; do grep -c "$token" "$told" && echo "the credential is told"; done
explainer read --messages --format json "$DIR/r.pcapng" | grep -c "$token" && echo "the credential is told by read" || true
`
	cmd := exec.CommandContext(t.Context(), "unshare", "-n", "sh", "-c", script)
	cmd.Env = append(cmd.Environ(), "DIR="+dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Logf("%v: %s", err, errs.String())
	}
	want := strings.Join([]string{"its own: 200 200", "other: 000 407", "plain: 407 000", "direct: 403 000", "wrong: 403 000", "password: 200 200", "allowed: 200 200", "opened: 200 000", "then: 200 200", "0", "0", ""}, "\n")
	if out.String() != want {
		said, _ := exec.Command("cat", filepath.Join(dir, "err")).Output()
		t.Errorf("\n%s\nwant\n%s\n%s\n%s", out.String(), want, errs.String(), said)
	}
}
