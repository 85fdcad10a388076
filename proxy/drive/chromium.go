// Package drive starts browsers and drives them, for tests.
package drive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Start has a browser trust more roots, in DER, by the NSS database of its profile, and
// starts it; it ends with the test. What it writes to standard error must be read.
func Start(t testing.TB, browser *exec.Cmd, database string, roots ...[]byte) (stderr io.Reader) {
	t.Helper()
	for i, root := range roots {
		certutil := exec.Command("certutil", "-d", "sql:"+database, "-A", "-t", "C,,", "-n", fmt.Sprintf("origin %d", i))
		certutil.Stdin = bytes.NewReader(root)
		if out, err := certutil.CombinedOutput(); err != nil {
			t.Fatalf("certutil: %v: %s", err, out)
		}
	}
	stderr, err := browser.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		browser.Process.Kill()
		browser.Wait()
	})
	return stderr
}

// A Chromium is one that was started with --remote-debugging-port, or a page of
// it, driven by the Chrome DevTools protocol.
type Chromium struct {
	Frame string // of a page, its main frame's name

	conn    *websocket.Conn
	url     string // of the websocket
	session string // of a page
	last    int    // number of the last call
}

// Listening finds in a starting Chromium's standard error where it listens, and drives it; it reads on.
func Listening(stderr io.Reader) (*Chromium, error) {
	const says = "DevTools listening on "
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), says) {
	}
	url, ok := strings.CutPrefix(lines.Text(), says)
	if !ok {
		return nil, errors.New("chromium does not listen")
	}
	go io.Copy(io.Discard, stderr)
	return dial(url)
}

func dial(url string) (*Chromium, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(1 << 24)
	return &Chromium{conn: conn, url: url}, nil
}

// patience is what an answer may take.
const patience = 30 * time.Second

// Close ends the driving, and what is driven stays.
func (c *Chromium) Close() { c.conn.CloseNow() }

// NewPage opens a page, in a browser context or, with "", the first, and drives it.
func (c *Chromium) NewPage(browserContext string) (*Chromium, error) {
	params := map[string]any{"url": "about:blank"}
	if browserContext != "" {
		params["browserContextId"] = browserContext
	}
	var target struct{ TargetID string }
	if err := c.Call("Target.createTarget", params, &target); err != nil {
		return nil, err
	}
	p, err := dial(c.url)
	if err != nil {
		return nil, err
	}
	var attached struct{ SessionID string }
	if err := p.Call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	p.session, p.Frame = attached.SessionID, target.TargetID
	return p, p.Call("Network.enable", nil, new(struct{}))
}

// message is an answer to a call, or an event.
type message struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }
	Method string
	Params struct {
		RequestID string
		Request   struct{ URL string }
		ErrorText string
	}
}

func (c *Chromium) send(ctx context.Context, method string, params map[string]any) error {
	c.last++
	call := map[string]any{"id": c.last, "method": method, "params": params}
	if c.session != "" {
		call["sessionId"] = c.session
	}
	b, err := json.Marshal(call)
	if err != nil {
		return err
	}
	return c.conn.Write(ctx, websocket.MessageText, b)
}

// next reads a message; the answer to the last call may be an error.
func (c *Chromium) next(ctx context.Context) (m message, err error) {
	_, b, err := c.conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err == nil && m.ID == c.last && m.Error != nil {
		err = errors.New(m.Error.Message)
	}
	return m, err
}

// Call calls a method and waits for its answer.
func (c *Chromium) Call(method string, params map[string]any, result any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := c.send(ctx, method, params)
	for err == nil {
		var m message
		if m, err = c.next(ctx); err == nil && m.ID == c.last {
			return json.Unmarshal(m.Result, result)
		}
	}
	return fmt.Errorf("%s: %w", method, err)
}

// Open opens a page, and returns the name of the error in its place, or "". It
// does not wait for the error's page, before which Chromium looks for three
// seconds whether a captive portal is to blame.
func (c *Chromium) Open(url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.send(ctx, "Page.navigate", map[string]any{"url": url}); err != nil {
		return "", err
	}
	for request := ""; ; {
		m, err := c.next(ctx)
		switch {
		case err != nil:
			return "", fmt.Errorf("%s: %w", url, err)
		case m.Method == "Network.requestWillBeSent" && m.Params.Request.URL == url:
			request = m.Params.RequestID
		case m.Method == "Network.loadingFailed" && m.Params.RequestID == request:
			return m.Params.ErrorText, nil
		case m.ID == c.last:
			return "", nil
		}
	}
}
