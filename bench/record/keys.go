package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// makeKeys makes the keys and certificates that the programs use, unless they
// are there: a root, a server's certificate for each kind of key, a client's,
// an OCSP response, and the file in which servers look up shared secrets.
func makeKeys(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "root.pem")); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	files := map[string]string{
		"server.ext": "subjectAltName=DNS:shop.test\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth\nauthorityInfoAccess=OCSP;URI:http://ocsp.test/\n",
		"client.ext": "keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n",
		"psk.txt":    "alice:" + psk + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			return err
		}
	}
	commands := []string{
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.pem -days 36500 -subj '/CN=Test Root' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign",
		"openssl dhparam -dsaparam -out dh.pem 2048",
		"openssl dsaparam -out dsa.param 2048",
	}
	for _, k := range []struct{ name, kind, ext, subject string }{
		{"rsa", "rsa:2048", "server", "shop.test"},
		{"ecdsa", "ec -pkeyopt ec_paramgen_curve:P-256", "server", "shop.test"},
		{"p384", "ec -pkeyopt ec_paramgen_curve:P-384", "server", "shop.test"},
		{"ed25519", "ed25519", "server", "shop.test"},
		{"ed448", "ed448", "server", "shop.test"},
		{"rsapss", "rsa-pss -pkeyopt rsa_keygen_bits:2048", "server", "shop.test"},
		{"dsa", "dsa:dsa.param", "server", "shop.test"},
		{"client", "rsa:2048", "client", "Alice"},
		{"client-ecdsa", "ec -pkeyopt ec_paramgen_curve:P-256", "client", "Alice"},
	} {
		commands = append(commands, fmt.Sprintf("openssl req -newkey %s -nodes -keyout %s.key -out request -subj '/CN=%s'", k.kind, k.name, k.subject),
			fmt.Sprintf("openssl x509 -req -in request -CA root.pem -CAkey root.key -days 36500 -extfile %s.ext -out %s.pem", k.ext, k.name))
	}
	commands = append(commands,
		"openssl pkcs12 -export -inkey rsa.key -in rsa.pem -passout pass:sesame -out rsa.p12",
		"openssl rsa -in rsa.key -aes128 -passout pass:sesame -out rsa-encrypted.key",
		"printf 'V\\t21260101000000Z\\t\\t%s\\tunknown\\t/CN=shop.test\\n' $(openssl x509 -in rsa.pem -noout -serial | cut -d= -f2) > index",
		"openssl ocsp -index index -rsigner root.pem -rkey root.key -CA root.pem -issuer root.pem -cert rsa.pem -ndays 36500 -respout ocsp.der",
		"openssl pkey -in ecdsa.key -pubout -out ecdsa.pub",
		"rm -f request dsa.param index* server.ext client.ext",
	)
	for _, c := range commands {
		cmd := exec.Command("sh", "-c", c)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			os.Remove(filepath.Join(dir, "root.pem"))
			return fmt.Errorf("%s: %w\n%s", c, err, out)
		}
	}
	return nil
}
