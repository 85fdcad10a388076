// Command record makes the project's own captures: it lets real programs
// (openssl, gnutls, curl, nginx) talk to each other through a relay on the
// loopback interface, which writes down what each side sent, and the keys.
//
//	go run ./bench/record [NAME...]
//
// It needs neither root nor a packet device. Without names it makes every scene
// of the table in scenes.go. The captures stand in capture/testdata/recordings,
// beside the keys and certificates that the programs used; these are made once
// and kept, so that a capture can be made anew without changing the others.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	directory = "capture/testdata/recordings"
	patience  = 20 * time.Second       // for a client to end
	idle      = 3 * time.Second        // without a byte after something was typed
	quiet     = 300 * time.Millisecond // without a byte: then the next line is typed
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("record: ")
	dir, err := filepath.Abs(directory)
	if err != nil {
		log.Fatal(err)
	}
	if err := makeKeys(filepath.Join(dir, "keys")); err != nil {
		log.Fatal(err)
	}
	failed := false
	for _, s := range scenes {
		if len(os.Args) > 1 && !slices.Contains(os.Args[1:], s.name) {
			continue
		}
		if err := record(dir, s); err != nil {
			log.Printf("%s: %v", s.name, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// A scene is one server and the clients that come to it, one after the other.
//
// In the arguments and the files, {keys} is the directory of keys and certificates, {dir} a
// fresh one, {port} the port to listen on or to connect to. The programs run in
// {dir} and write their secrets to {dir}/log.
type scene struct {
	name    string
	about   string            // what it shows
	port    uint16            // of the server in the capture; 0 is 443
	files   map[string]string // in {dir}, beside index.html
	server  []string
	clients []client
	prelude []line // said in clear before TLS
}

// A client is one command and what is typed at it.
type client struct {
	argv []string
	says []say
}

// A say is a line that is typed once nothing has passed for a while: at the
// client, or at the server. At the end the client's input is closed.
type say struct {
	server bool
	text   string
}

func record(dir string, s scene) error {
	work, err := os.MkdirTemp("", "record")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "index.html"), []byte("<p>hello</p>\n"), 0o666); err != nil {
		return err
	}
	serverPort, err := freePort()
	if err != nil {
		return err
	}
	relay, err := newRelay(fmt.Sprintf("127.0.0.1:%s", serverPort), cmp.Or(s.port, 443), s.prelude)
	if err != nil {
		return err
	}
	fill := func(argv []string, port string) []string {
		r := strings.NewReplacer("{keys}", filepath.Join(dir, "keys"), "{dir}", work, "{port}", port)
		out := make([]string, len(argv))
		for i, a := range argv {
			out[i] = r.Replace(a)
		}
		return out
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, text := range s.files {
		text = fill([]string{text}, serverPort)[0]
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o666); err != nil {
			return err
		}
	}
	server := command(ctx, work, fill(s.server, serverPort))
	serverIn, err := server.StdinPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	var trouble error
	for _, c := range s.clients {
		if err := run(work, relay, fill(c.argv, relay.port), c.says, serverIn); err != nil {
			trouble = fmt.Errorf("%v: %w", c.argv, err)
			break
		}
	}
	cancel()
	server.Wait() // it was killed, which is no news
	connections := relay.close()
	if trouble != nil {
		return fmt.Errorf("%w\n%s", trouble, output(server))
	}
	secrets, err := os.ReadFile(filepath.Join(work, "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file := encode(s, versions(s), uniqueLines(secrets), connections)
	fmt.Printf("%-34s %2d connections %6d bytes\n", s.name, len(connections), len(file))
	return os.WriteFile(filepath.Join(dir, s.name+".pcapng"), file, 0o666)
}

// run runs one client to its end.
func run(work string, relay *relay, argv []string, says []say, serverIn io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := command(ctx, work, argv)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	relay.touch()
	if err := cmd.Start(); err != nil {
		return err
	}
	for _, s := range says {
		relay.waitQuiet(quiet)
		relay.touch()
		to := io.Writer(in)
		if s.server {
			to = serverIn
		}
		if _, err := io.WriteString(to, s.text); err != nil {
			break // it has ended, which some are to do
		}
	}
	relay.waitQuiet(quiet)
	in.Close()
	err = cmd.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("did not end\n%s", output(cmd))
	}
	if os.Getenv("VERBOSE") != "" {
		fmt.Printf("%v: %v\n%s", argv, err, output(cmd))
	}
	relay.waitQuiet(quiet)
	return nil
}

func command(ctx context.Context, work string, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "SSLKEYLOGFILE="+filepath.Join(work, "log"), "HOME="+work, "LC_ALL=C")
	b := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = b, b
	return cmd
}

func output(cmd *exec.Cmd) []byte {
	return cmd.Stdout.(*bytes.Buffer).Bytes()
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// versions says which programs made a scene.
func versions(s scene) string {
	var names []string
	for _, argv := range append([][]string{s.server}, argvs(s.clients)...) {
		if !slices.Contains(names, argv[0]) {
			names = append(names, argv[0])
		}
	}
	for i, n := range names {
		flag := "--version"
		switch n {
		case "openssl":
			flag = "version"
		case "nginx":
			flag = "-v"
		}
		out, err := exec.Command(n, flag).CombinedOutput()
		if err == nil {
			first, _, _ := strings.Cut(string(out), "\n")
			first, _, _ = strings.Cut(first, " (")
			names[i] = strings.TrimSpace(first)
		}
	}
	return strings.Join(names, ", ")
}

func argvs(cs []client) [][]string {
	var out [][]string
	for _, c := range cs {
		out = append(out, c.argv)
	}
	return out
}

// uniqueLines drops comments and what both sides logged.
func uniqueLines(b []byte) []byte {
	var out []byte
	seen := make(map[string]bool)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && !seen[line] {
			seen[line] = true
			out = append(append(out, line...), '\n')
		}
	}
	return out
}
