package main

import "strings"

// psk is the secret that both sides know beforehand, in hex.
const psk = "6578706c61696e65722d73686172656421"

// words splits a command line; no argument of ours needs quoting.
func words(line string) []string { return strings.Fields(line) }

const get = "GET /index.html HTTP/1.0\r\nHost: shop.test\r\n\r\n"

// opensslServer is a server with the key of that kind that serves index.html.
func opensslServer(key, args string) []string {
	return words("openssl s_server -accept {port} -cert {keys}/" + key + ".pem -key {keys}/" + key + ".key -keylogfile {dir}/log -WWW " + args)
}

// chat is an openssl server at which lines can be typed: they are sent to the client.
func chat(key, args string) []string {
	s := opensslServer(key, args)
	for i, a := range s {
		if a == "-WWW" {
			return append(s[:i:i], s[i+1:]...)
		}
	}
	return s
}

// openssl is a client that asks for index.html.
func openssl(args string) client {
	return client{words("openssl s_client -connect 127.0.0.1:{port} -servername shop.test -CAfile {keys}/root.pem -keylogfile {dir}/log -ign_eof " + args), []say{{false, get}}}
}

// talker is an openssl client at which lines are typed, commands among them.
func talker(args string, says ...say) client {
	return client{words("openssl s_client -connect 127.0.0.1:{port} -servername shop.test -CAfile {keys}/root.pem -keylogfile {dir}/log " + args), says}
}

func gnutlsServer(key, priority, args string) []string {
	cert := ""
	if key != "" {
		cert = " --x509certfile {keys}/" + key + ".pem --x509keyfile {keys}/" + key + ".key"
	}
	return words("gnutls-serv --http --disable-client-cert --port {port} --priority " + priority + cert + " " + args)
}

func gnutls(priority, args string) client {
	return client{words("gnutls-cli --port {port} --sni-hostname shop.test --verify-hostname shop.test --x509cafile {keys}/root.pem --priority " + priority + " " + args + " 127.0.0.1"), []say{{false, "GET / HTTP/1.0\r\n\r\n"}}}
}

// both is a scene of openssl on both sides, with the same version and arguments.
func both(name, about, key, version, args string) scene {
	return scene{name: name, about: about, server: opensslServer(key, version+" "+args), clients: []client{openssl(version + " " + args)}}
}

// bothGnutls is a scene of gnutls on both sides.
func bothGnutls(name, about, key, priority string) scene {
	return scene{name: name, about: about, server: gnutlsServer(key, priority, ""), clients: []client{gnutls(priority, "")}}
}

// starttls is a scene in which a client that speaks proto asks for TLS.
func starttls(proto string, port uint16, about string, prelude ...line) scene {
	return scene{name: "starttls-" + proto, about: about, port: port,
		server:  words("openssl s_server -accept {port} -cert {keys}/ecdsa.pem -key {keys}/ecdsa.key -keylogfile {dir}/log -rev -num_tickets 1"),
		clients: []client{talker("-starttls "+proto+" -name shop.test", say{false, "hello\n"})},
		prelude: prelude,
	}
}

const pskBoth = "-psk " + psk + " -psk_identity alice"

func curl(args string) []string {
	return words("curl -sS --cacert {keys}/root.pem --connect-to ::127.0.0.1:{port} " + args)
}

// nginx is the configuration of an nginx that needs nothing outside {dir}.
const nginx = `
daemon off;
master_process off;
error_log stderr;
pid {dir}/pid;
events {}
http {
	access_log off;
	client_body_temp_path {dir}/a;
	proxy_temp_path {dir}/b;
	fastcgi_temp_path {dir}/c;
	uwsgi_temp_path {dir}/d;
	scgi_temp_path {dir}/e;
	types { text/html html; }
	gzip on;
	gzip_min_length 100;
	server {
		listen 127.0.0.1:{port} ssl http2;
		root {dir};
		ssl_certificate {keys}/ecdsa.pem;
		ssl_certificate_key {keys}/ecdsa.key;
		ssl_protocols TLSv1.2 TLSv1.3;
		location /echo { return 200 "thank you\\n"; }
	}
}
`

// scenes are all captures that are made.
var scenes = []scene{
	// Key exchanges and what authenticates the server, TLS 1.2 and older.
	both("tls12-rsa-aes128-gcm", "TLS 1.2, RSA key transport, AES-128-GCM", "rsa", "-tls1_2", "-cipher AES128-GCM-SHA256"),
	both("tls12-rsa-aes256-cbc-sha-etm", "TLS 1.2, RSA key transport, AES-256-CBC with SHA-1, encrypt-then-MAC", "rsa", "-tls1_2", "-cipher AES256-SHA"),
	both("tls12-rsa-aes128-cbc-sha", "TLS 1.2, RSA key transport, AES-128-CBC with SHA-1, MAC-then-encrypt", "rsa", "-tls1_2", "-cipher AES128-SHA -no_etm"),
	both("tls12-rsa-aes128-cbc-sha256-etm", "TLS 1.2, RSA key transport, AES-128-CBC with SHA-256, encrypt-then-MAC", "rsa", "-tls1_2", "-cipher AES128-SHA256"),
	both("tls12-rsa-aes256-cbc-sha256", "TLS 1.2, RSA key transport, AES-256-CBC with SHA-256, MAC-then-encrypt", "rsa", "-tls1_2", "-cipher AES256-SHA256 -no_etm"),
	both("tls12-ecdhe-aes256-cbc-sha384-etm", "TLS 1.2, ECDHE, AES-256-CBC with SHA-384, encrypt-then-MAC", "rsa", "-tls1_2", "-cipher ECDHE-RSA-AES256-SHA384"),
	both("tls12-ecdhe-aes256-cbc-sha384", "TLS 1.2, ECDHE, AES-256-CBC with SHA-384, MAC-then-encrypt", "rsa", "-tls1_2", "-cipher ECDHE-RSA-AES256-SHA384 -no_etm"),
	both("tls12-rsa-aes128-ccm", "TLS 1.2, RSA key transport, AES-128-CCM", "rsa", "-tls1_2", "-cipher AES128-CCM"),
	both("tls12-rsa-aes256-ccm8", "TLS 1.2, RSA key transport, AES-256-CCM with tags of 8 bytes", "rsa", "-tls1_2", "-cipher AES256-CCM8@SECLEVEL=0"),
	both("tls12-ecdhe-ecdsa-ccm8", "TLS 1.2, ECDHE with an ECDSA certificate, AES-128-CCM with tags of 8 bytes", "ecdsa", "-tls1_2", "-cipher ECDHE-ECDSA-AES128-CCM8@SECLEVEL=0"),
	both("tls12-ecdhe-chacha20", "TLS 1.2, ECDHE, ChaCha20-Poly1305", "rsa", "-tls1_2", "-cipher ECDHE-RSA-CHACHA20-POLY1305"),
	both("tls12-rsa-camellia-cbc", "TLS 1.2, RSA key transport, Camellia-128-CBC with SHA-256", "rsa", "-tls1_2", "-cipher CAMELLIA128-SHA256"),
	both("tls12-ecdhe-aria-gcm", "TLS 1.2, ECDHE, ARIA-128-GCM", "rsa", "-tls1_2", "-cipher ECDHE-ARIA128-GCM-SHA256"),
	both("tls12-rsa-null", "TLS 1.2, RSA key transport, no encryption, SHA-256", "rsa", "-tls1_2", "-cipher NULL-SHA256@SECLEVEL=0"),
	both("tls12-dhe-rsa", "TLS 1.2, finite-field DHE signed with RSA", "rsa", "-tls1_2", "-cipher DHE-RSA-AES128-GCM-SHA256"),
	both("tls12-dhe-dss", "TLS 1.2, finite-field DHE signed with DSA", "dsa", "-tls1_2", "-cipher DHE-DSS-AES128-SHA256@SECLEVEL=0 -sigalgs DSA+SHA256:ECDSA+SHA256:RSA+SHA256"),
	both("tls12-ecdhe-ed25519", "TLS 1.2, ECDHE signed with Ed25519", "ed25519", "-tls1_2", ""),
	both("tls12-ecdhe-p384-x448", "TLS 1.2, ECDHE over X448 signed with ECDSA over P-384", "p384", "-tls1_2", "-groups X448:P-384"),
	both("tls12-ecdhe-rsapss", "TLS 1.2, ECDHE signed with RSA-PSS by a key that is for RSA-PSS alone", "rsapss", "-tls1_2", ""),
	both("tls11-rsa", "TLS 1.1, RSA key transport, AES-128-CBC", "rsa", "-tls1_1", "-cipher AES128-SHA@SECLEVEL=0"),
	both("tls11-ecdhe", "TLS 1.1, ECDHE, AES-128-CBC", "rsa", "-tls1_1", "-cipher ECDHE-RSA-AES128-SHA@SECLEVEL=0"),
	both("tls10-rsa", "TLS 1.0, RSA key transport, AES-256-CBC", "rsa", "-tls1", "-cipher AES256-SHA@SECLEVEL=0"),
	both("tls10-dhe", "TLS 1.0, finite-field DHE, AES-128-CBC", "rsa", "-tls1", "-cipher DHE-RSA-AES128-SHA@SECLEVEL=0 -no_etm"),
	both("tls12-anonymous-dhe", "TLS 1.2, finite-field DHE that nobody signs", "rsa", "-tls1_2", "-cipher ADH-AES128-GCM-SHA256@SECLEVEL=0"),
	both("tls12-anonymous-ecdhe", "TLS 1.2, ECDHE that nobody signs", "rsa", "-tls1_2", "-cipher AECDH-AES128-SHA@SECLEVEL=0"),
	bothGnutls("tls12-rsa-3des", "TLS 1.2, RSA key transport, 3DES, encrypt-then-MAC", "rsa", "NONE:+VERS-TLS1.2:+RSA:+3DES-CBC:+SHA1:+COMP-NULL:+SIGN-ALL"),
	bothGnutls("tls10-rsa-3des", "TLS 1.0, RSA key transport, 3DES, MAC-then-encrypt", "rsa", "NONE:+VERS-TLS1.0:+RSA:+3DES-CBC:+SHA1:+COMP-NULL:+SIGN-ALL:%NO_ETM"),
	bothGnutls("tls11-rsa-rc4", "TLS 1.1, RSA key transport, RC4", "rsa", "NONE:+VERS-TLS1.1:+RSA:+ARCFOUR-128:+SHA1:+COMP-NULL:+SIGN-ALL"),
	bothGnutls("tls12-rsa-rc4-md5", "TLS 1.2, RSA key transport, RC4 with MD5", "rsa", "NONE:+VERS-TLS1.2:+RSA:+ARCFOUR-128:+MD5:+COMP-NULL:+SIGN-ALL"),
	bothGnutls("tls12-ecdhe-no-ems", "TLS 1.2, ECDHE, without extended master secret", "rsa", "NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_SESSION_HASH"),
	bothGnutls("tls12-rsa-no-ems", "TLS 1.2, RSA key transport, without extended master secret", "rsa", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA:%NO_SESSION_HASH"),
	bothGnutls("tls12-dhe-gnutls", "TLS 1.2, finite-field DHE, as gnutls does it", "rsa", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA"),
	bothGnutls("tls12-camellia-gcm", "TLS 1.2, ECDHE, Camellia-128-GCM", "rsa", "NONE:+VERS-TLS1.2:+ECDHE-RSA:+CAMELLIA-128-GCM:+AEAD:+COMP-NULL:+SIGN-ALL:+GROUP-ALL"),

	// Secrets that both sides know beforehand.
	pskScene("tls12-psk", "TLS 1.2, PSK alone", "PSK-AES128-GCM-SHA256"),
	pskScene("tls12-psk-cbc-sha384", "TLS 1.2, PSK alone, AES-256-CBC with SHA-384", "PSK-AES256-CBC-SHA384"),
	pskScene("tls12-psk-ccm8", "TLS 1.2, PSK alone, AES-128-CCM with tags of 8 bytes", "PSK-AES128-CCM8"),
	pskScene("tls12-dhe-psk", "TLS 1.2, PSK and finite-field DHE", "DHE-PSK-AES128-GCM-SHA256"),
	pskScene("tls12-ecdhe-psk", "TLS 1.2, PSK and ECDHE", "ECDHE-PSK-AES128-CBC-SHA256"),
	pskScene("tls12-ecdhe-psk-chacha20", "TLS 1.2, PSK and ECDHE, ChaCha20-Poly1305", "ECDHE-PSK-CHACHA20-POLY1305"),
	pskScene("tls12-rsa-psk", "TLS 1.2, PSK and RSA key transport", "RSA-PSK-AES128-GCM-SHA256"),
	gnutlsPSK("tls12-psk-gnutls", "TLS 1.2, PSK alone, with a hint", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK", "--pskhint=shop"),
	// gnutls-cli 3.7.9 dies after these two handshakes, so that the client is openssl's.
	{name: "tls12-dhe-psk-gnutls", about: "TLS 1.2, PSK and finite-field DHE, with a hint",
		server:  gnutlsServer("rsa", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-PSK", "--pskpasswd={keys}/psk.txt --pskhint=shop"),
		clients: []client{openssl("-tls1_2 -cipher DHE-PSK-AES256-GCM-SHA384 " + pskBoth)}},
	{name: "tls12-ecdhe-psk-gnutls", about: "TLS 1.2, PSK and ECDHE, with a hint",
		server:  gnutlsServer("rsa", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK", "--pskpasswd={keys}/psk.txt --pskhint=shop"),
		clients: []client{openssl("-tls1_2 -cipher ECDHE-PSK-AES256-CBC-SHA " + pskBoth)}},
	gnutlsPSK("tls12-rsa-psk-gnutls", "TLS 1.2, PSK and RSA key transport", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA-PSK", ""),
	gnutlsPSK("tls13-psk-ke-external", "TLS 1.3, a secret agreed on otherwise, no Diffie-Hellman (psk_ke)", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+PSK", ""),
	gnutlsPSK("tls13-psk-dhe-external", "TLS 1.3, a secret agreed on otherwise, and ECDHE (psk_dhe_ke)", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK", ""),
	{name: "tls13-psk-external-openssl", about: "TLS 1.3, a secret agreed on otherwise, and ECDHE (psk_dhe_ke), by openssl",
		server:  opensslServer("ecdsa", "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256 "+pskBoth),
		clients: []client{openssl("-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256 " + pskBoth)}},

	// TLS 1.3.
	both("tls13-aes128-gcm", "TLS 1.3, X25519, AES-128-GCM, ECDSA", "ecdsa", "-tls1_3", "-ciphersuites TLS_AES_128_GCM_SHA256"),
	both("tls13-chacha20-rsa", "TLS 1.3, X25519, ChaCha20-Poly1305, RSA-PSS", "rsa", "-tls1_3", "-ciphersuites TLS_CHACHA20_POLY1305_SHA256"),
	both("tls13-ccm", "TLS 1.3, AES-128-CCM", "ecdsa", "-tls1_3", "-ciphersuites TLS_AES_128_CCM_SHA256"),
	both("tls13-ccm8", "TLS 1.3, AES-128-CCM with tags of 8 bytes", "ecdsa", "-tls1_3", "-ciphersuites TLS_AES_128_CCM_8_SHA256 -cipher DEFAULT@SECLEVEL=0"),
	both("tls13-ed25519", "TLS 1.3, Ed25519", "ed25519", "-tls1_3", ""),
	both("tls13-ed448-x448", "TLS 1.3, Ed448 and X448", "ed448", "-tls1_3", "-groups X448"),
	both("tls13-rsapss", "TLS 1.3, a key for RSA-PSS alone", "rsapss", "-tls1_3", ""),
	both("tls13-ffdhe2048", "TLS 1.3, finite-field Diffie-Hellman", "ecdsa", "-tls1_3", "-groups ffdhe2048"),
	both("tls13-padding", "TLS 1.3, records padded to 512 bytes", "ecdsa", "-tls1_3", "-record_padding 512"),
	{name: "tls13-max-fragment", about: "TLS 1.3, records of at most 512 bytes (max_fragment_length)",
		server:  opensslServer("rsa", "-tls1_3"),
		clients: []client{openssl("-tls1_3 -maxfraglen 512")}},
	{name: "tls13-hrr", about: "TLS 1.3, HelloRetryRequest for another group",
		server:  opensslServer("ecdsa", "-tls1_3 -groups P-384"),
		clients: []client{openssl("-tls1_3 -groups X25519:P-384")}},
	{name: "tls13-no-middlebox", about: "TLS 1.3 without the dummy ChangeCipherSpec and session ID",
		server:  opensslServer("ecdsa", "-tls1_3"),
		clients: []client{openssl("-tls1_3 -no_middlebox")}},
	{name: "tls12-max-fragment", about: "TLS 1.2, records of at most 512 bytes (max_fragment_length)",
		server:  opensslServer("rsa", "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256"),
		clients: []client{openssl("-tls1_2 -maxfraglen 512")}},
	{name: "tls13-record-size-limit", about: "TLS 1.3, record_size_limit on both sides",
		server:  gnutlsServer("rsa", "NORMAL:-VERS-ALL:+VERS-TLS1.3", "--recordsize=600"),
		clients: []client{gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.3", "--recordsize=600")}},
	{name: "tls13-raw-public-key", about: "TLS 1.3, a raw public key for a certificate",
		server:  words("gnutls-serv --http --disable-client-cert --port {port} --rawpkkeyfile {keys}/ecdsa.key --rawpkfile {keys}/ecdsa.pub --priority NORMAL:-VERS-ALL:+VERS-TLS1.3:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK"),
		clients: []client{gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-ALL:+CTYPE-SRV-RAWPK", "--insecure")}},
	{name: "tls12-raw-public-key", about: "TLS 1.2, a raw public key for a certificate",
		server:  words("gnutls-serv --http --disable-client-cert --port {port} --rawpkkeyfile {keys}/ecdsa.key --rawpkfile {keys}/ecdsa.pub --priority NORMAL:-VERS-ALL:+VERS-TLS1.2:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK"),
		clients: []client{gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2:-CTYPE-ALL:+CTYPE-SRV-RAWPK", "--insecure")}},
	{name: "tls13-key-update", about: "TLS 1.3, both sides take new keys, the client twice",
		server: chat("ecdsa", "-tls1_3"),
		clients: []client{talker("-tls1_3", say{false, "one\n"}, say{false, "k\n"}, say{false, "two\n"}, say{false, "K\n"}, say{false, "three\n"},
			say{true, "four\n"}, say{true, "k\n"}, say{true, "five\n"}, say{false, "six\n"}, say{false, "Q\n"})}},
	{name: "tls13-post-handshake-auth", about: "TLS 1.3, the client's certificate asked for after the handshake",
		server: chat("ecdsa", "-tls1_3 -CAfile {keys}/root.pem"),
		clients: []client{talker("-tls1_3 -enable_pha -cert {keys}/client.pem -key {keys}/client.key",
			say{false, "one\n"}, say{true, "c\n"}, say{false, "two\n"}, say{true, "three\n"}, say{false, "Q\n"})}},
	{name: "tls13-post-handshake-auth-twice", about: "TLS 1.3, the client asked twice after the handshake, with new keys of its own in between",
		server: chat("ecdsa", "-tls1_3 -CAfile {keys}/root.pem"),
		clients: []client{talker("-tls1_3 -enable_pha -cert {keys}/client.pem -key {keys}/client.key",
			say{false, "one\n"}, say{true, "c\n"}, say{false, "k\n"}, say{false, "two\n"}, say{true, "c\n"}, say{false, "three\n"}, say{false, "Q\n"})}},
	{name: "tls13-post-handshake-auth-none", about: "TLS 1.3, the client asked after the handshake, which has no certificate",
		server:  chat("ecdsa", "-tls1_3 -CAfile {keys}/root.pem"),
		clients: []client{talker("-tls1_3 -enable_pha", say{false, "one\n"}, say{true, "c\n"}, say{false, "two\n"}, say{false, "Q\n"})}},
	{name: "tls13-0rtt", about: "TLS 1.3, early data that the server takes",
		server: chat("ecdsa", "-tls1_3 -early_data -ciphersuites TLS_AES_128_GCM_SHA256"),
		clients: []client{
			talker("-tls1_3 -sess_out {dir}/session", say{false, "one\n"}, say{true, "two\n"}, say{false, "Q\n"}),
			talker("-tls1_3 -sess_in {dir}/session -early_data {dir}/index.html", say{false, "three\n"}, say{true, "four\n"}, say{false, "Q\n"}),
		}},
	{name: "tls13-0rtt-rejected", about: "TLS 1.3, early data on a ticket that was used before: the server does not take it",
		server: chat("ecdsa", "-tls1_3 -early_data"),
		clients: []client{
			talker("-tls1_3 -sess_out {dir}/session", say{false, "one\n"}, say{true, "two\n"}, say{false, "Q\n"}),
			talker("-tls1_3 -sess_in {dir}/session -early_data {dir}/index.html", say{false, "three\n"}, say{true, "four\n"}, say{false, "Q\n"}),
			talker("-tls1_3 -sess_in {dir}/session -early_data {dir}/index.html", say{false, "five\n"}, say{true, "six\n"}, say{false, "Q\n"}),
		}},
	{name: "tls13-0rtt-retry", about: "TLS 1.3, early data that a HelloRetryRequest does away with",
		server: chat("ecdsa", "-tls1_3 -early_data -groups P-384"),
		clients: []client{
			talker("-tls1_3 -groups P-384 -sess_out {dir}/session", say{false, "one\n"}, say{true, "two\n"}, say{false, "Q\n"}),
			talker("-tls1_3 -groups X25519:P-384 -sess_in {dir}/session -early_data {dir}/index.html", say{false, "three\n"}, say{true, "four\n"}, say{false, "Q\n"}),
		}},
	{name: "tls13-psk-dhe", about: "TLS 1.3 resumed by ticket, with Diffie-Hellman (psk_dhe_ke)",
		server:  opensslServer("ecdsa", "-tls1_3"),
		clients: []client{openssl("-tls1_3 -sess_out {dir}/session"), openssl("-tls1_3 -sess_in {dir}/session")}},
	{name: "tls13-psk-ke", about: "TLS 1.3 resumed by ticket, without Diffie-Hellman (psk_ke)",
		server:  opensslServer("ecdsa", "-tls1_3 -groups X25519 -allow_no_dhe_kex"),
		clients: []client{openssl("-tls1_3 -allow_no_dhe_kex -sess_out {dir}/session"), openssl("-tls1_3 -allow_no_dhe_kex -groups P-256 -sess_in {dir}/session")}},

	// Resumption, renegotiation and client certificates, TLS 1.2.
	{name: "tls12-resumed-id", about: "TLS 1.2 resumed by session ID",
		server:  opensslServer("rsa", "-tls1_2 -no_ticket"),
		clients: []client{openssl("-tls1_2 -no_ticket -sess_out {dir}/session"), openssl("-tls1_2 -no_ticket -sess_in {dir}/session")}},
	{name: "tls12-resumed-ticket", about: "TLS 1.2 resumed by ticket",
		server:  opensslServer("rsa", "-tls1_2"),
		clients: []client{openssl("-tls1_2 -sess_out {dir}/session"), openssl("-tls1_2 -sess_in {dir}/session")}},
	{name: "tls12-resumed-rsa", about: "TLS 1.2, RSA key transport, resumed by ticket, then by session ID, with gnutls",
		server: gnutlsServer("rsa", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", ""),
		clients: []client{
			gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", "--resume"),
			gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA:%NO_TICKETS", "--resume"),
		}},
	{name: "tls10-resumed-id", about: "TLS 1.0 resumed by session ID",
		server:  opensslServer("rsa", "-tls1 -no_ticket -cipher AES128-SHA@SECLEVEL=0"),
		clients: []client{openssl("-tls1 -no_ticket -sess_out {dir}/session -cipher AES128-SHA@SECLEVEL=0"), openssl("-tls1 -no_ticket -sess_in {dir}/session -cipher AES128-SHA@SECLEVEL=0")}},
	{name: "tls12-resumption-refused", about: "TLS 1.2, a session ID that the server no longer knows: a whole handshake",
		files:   map[string]string{"nginx.conf": nginx},
		server:  words("nginx -p {dir} -c nginx.conf"),
		clients: []client{openssl("-tls1_2 -no_ticket -sess_out {dir}/session"), openssl("-tls1_2 -no_ticket -sess_in {dir}/session")}},
	{name: "tls12-renegotiation", about: "TLS 1.2, a second handshake inside the first, asked for by the client",
		server:  chat("rsa", "-tls1_2 -client_renegotiation"),
		clients: []client{talker("-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", say{false, "one\n"}, say{false, "R\n"}, say{false, "two\n"}, say{true, "three\n"}, say{false, "Q\n"})}},
	{name: "tls12-renegotiation-client-certificate", about: "TLS 1.2, the server asks for a second handshake (HelloRequest) with a client certificate",
		server:  chat("rsa", "-tls1_2 -CAfile {keys}/root.pem -no_resumption_on_reneg"),
		clients: []client{talker("-tls1_2 -cipher AES128-SHA -cert {keys}/client.pem -key {keys}/client.key", say{false, "one\n"}, say{true, "R\n"}, say{false, "two\n"}, say{false, "Q\n"})}},
	{name: "tls12-client-certificate", about: "TLS 1.2, ECDHE, the client proves who it is with RSA",
		server:  opensslServer("ecdsa", "-tls1_2 -CAfile {keys}/root.pem -Verify 1"),
		clients: []client{openssl("-tls1_2 -cert {keys}/client.pem -key {keys}/client.key")}},
	{name: "tls12-rsa-client-certificate", about: "TLS 1.2, RSA key transport, the client proves who it is with ECDSA",
		server:  opensslServer("rsa", "-tls1_2 -cipher AES128-GCM-SHA256 -CAfile {keys}/root.pem -Verify 1"),
		clients: []client{openssl("-tls1_2 -cert {keys}/client-ecdsa.pem -key {keys}/client-ecdsa.key")}},
	{name: "tls10-client-certificate", about: "TLS 1.0, the client proves who it is with RSA (MD5 and SHA-1)",
		server:  opensslServer("rsa", "-tls1 -cipher AES128-SHA@SECLEVEL=0 -CAfile {keys}/root.pem -Verify 1"),
		clients: []client{openssl("-tls1 -cipher AES128-SHA@SECLEVEL=0 -cert {keys}/client.pem -key {keys}/client.key")}},
	{name: "tls13-client-certificate", about: "TLS 1.3, the client proves who it is with ECDSA",
		server:  opensslServer("ecdsa", "-tls1_3 -CAfile {keys}/root.pem -Verify 1"),
		clients: []client{openssl("-tls1_3 -cert {keys}/client-ecdsa.pem -key {keys}/client-ecdsa.key")}},
	{name: "tls13-client-certificate-empty", about: "TLS 1.3, the server asks for a certificate and the client has none",
		server:  opensslServer("ecdsa", "-tls1_3 -CAfile {keys}/root.pem -verify 1"),
		clients: []client{openssl("-tls1_3")}},
	{name: "tls12-ocsp", about: "TLS 1.2, a stapled OCSP response",
		server:  opensslServer("rsa", "-tls1_2 -status_file {keys}/ocsp.der"),
		clients: []client{openssl("-tls1_2 -status")}},
	{name: "tls13-ocsp", about: "TLS 1.3, a stapled OCSP response",
		server:  opensslServer("rsa", "-tls1_3 -status_file {keys}/ocsp.der"),
		clients: []client{openssl("-tls1_3 -status")}},

	// What goes wrong.
	{name: "failed-version", about: "the client wants TLS 1.3, the server has TLS 1.2",
		server: opensslServer("rsa", "-tls1_2"), clients: []client{openssl("-tls1_3")}},
	{name: "failed-suite", about: "no suite in common",
		server: opensslServer("rsa", "-tls1_2 -cipher AES128-SHA"), clients: []client{openssl("-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256")}},
	{name: "failed-psk", about: "TLS 1.2, PSK: the two sides do not have the same secret",
		server:  opensslServer("rsa", "-tls1_2 -cipher PSK-AES128-GCM-SHA256 "+pskBoth),
		clients: []client{openssl("-tls1_2 -cipher PSK-AES128-GCM-SHA256 -psk 00ff -psk_identity alice")}},
	{name: "failed-unknown-ca", about: "TLS 1.2, a client that does not know who issued the certificate",
		server: opensslServer("rsa", "-tls1_2"), clients: []client{{words("openssl s_client -connect 127.0.0.1:{port} -servername shop.test -keylogfile {dir}/log -verify_return_error -tls1_2 -no-CAfile -no-CApath -no-CAstore"), nil}}},

	// HTTP.
	{name: "http1", about: "TLS 1.3, HTTP/1.1: three requests by curl on one connection to nginx, one answer gzipped, one not found",
		files:   map[string]string{"nginx.conf": nginx, "big.html": strings.Repeat("<p>hello</p>\n", 100)},
		server:  words("nginx -p {dir} -c nginx.conf"),
		clients: []client{{argv: curl("--http1.1 --compressed https://shop.test/index.html https://shop.test/big.html https://shop.test/nothing")}}},
	{name: "http1-post", about: "TLS 1.2, HTTP/1.1: a request with a body and Expect: 100-continue",
		files:   map[string]string{"nginx.conf": nginx, "body": strings.Repeat("0123456789", 20)},
		server:  words("nginx -p {dir} -c nginx.conf"),
		clients: []client{{argv: curl("--http1.1 --tls-max 1.2 -H Expect:100-continue --data-binary @body -u alice:sesame https://shop.test/echo")}}},
	{name: "http2", about: "TLS 1.3, HTTP/2: a request with a body, then two more, by curl to nginx",
		files:   map[string]string{"nginx.conf": nginx, "body": strings.Repeat("0123456789", 20), "big.html": strings.Repeat("<p>hello</p>\n", 100)},
		server:  words("nginx -p {dir} -c nginx.conf"),
		clients: []client{{argv: curl("--http2 --compressed --data-binary @body https://shop.test/echo --next --http2 --compressed -sS --cacert {keys}/root.pem --connect-to ::127.0.0.1:{port} https://shop.test/big.html https://shop.test/nothing")}}},
	{name: "connect", about: "TLS 1.3 inside a CONNECT tunnel, by curl", port: 3128,
		server:  opensslServer("ecdsa", "-tls1_3"),
		clients: []client{{argv: words("curl -sS --cacert {keys}/root.pem -x http://127.0.0.1:{port} https://shop.test/index.html")}},
		prelude: []line{{hear: "\r\n\r\n"}, {send: "HTTP/1.1 200 Connection established\r\n\r\n"}}},
	{name: "socks5", about: "TLS 1.3 inside SOCKS 5, by curl", port: 1080,
		server:  opensslServer("ecdsa", "-tls1_3"),
		clients: []client{{argv: words("curl -sS --cacert {keys}/root.pem --socks5-basic --socks5-hostname 127.0.0.1:{port} https://shop.test/index.html")}},
		prelude: []line{{n: 3}, {send: "\x05\x00", n: 16}, {send: "\x05\x00\x00\x01\xc6\x33\x64\x07\x01\xbb"}}},
	{name: "socks4a", about: "TLS 1.2 inside SOCKS 4a, by curl", port: 1080,
		server:  opensslServer("ecdsa", "-tls1_2"),
		clients: []client{{argv: words("curl -sS --cacert {keys}/root.pem --socks4a 127.0.0.1:{port} https://shop.test/index.html")}},
		prelude: []line{{hear: "shop.test\x00"}, {send: "\x00\x5a\x01\xbb\xc6\x33\x64\x07"}}},

	// TLS that begins in the middle of another conversation.
	starttls("smtp", 25, "SMTP STARTTLS, TLS 1.3",
		line{send: "220 shop.test ESMTP\r\n", hear: "\r\n"}, line{send: "250-shop.test\r\n250-SIZE 1000000\r\n250 STARTTLS\r\n", hear: "\r\n"}, line{send: "220 go ahead\r\n"}),
	starttls("imap", 143, "IMAP STARTTLS, TLS 1.3",
		line{send: "* OK shop.test ready\r\n", hear: "\r\n"}, line{send: "* CAPABILITY IMAP4rev1 STARTTLS\r\n. OK done\r\n", hear: "\r\n"}, line{send: ". OK begin TLS\r\n"}),
	starttls("pop3", 110, "POP3 STLS, TLS 1.3",
		line{send: "+OK shop.test ready\r\n", hear: "\r\n"}, line{send: "+OK begin TLS\r\n"}),
	starttls("ftp", 21, "FTP AUTH TLS, TLS 1.3",
		line{send: "220 shop.test ready\r\n", hear: "\r\n"}, line{send: "234 begin TLS\r\n"}),
	starttls("xmpp", 5222, "XMPP starttls, TLS 1.3",
		line{hear: ">"}, line{send: "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='shop.test' version='1.0'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>", hear: "/>"},
		line{send: "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"}),
	starttls("postgres", 5432, "PostgreSQL SSLRequest, TLS 1.3", line{n: 8}, line{send: "S"}),
	starttls("mysql", 3306, "MySQL SSL request, TLS 1.3",
		line{send: mysqlGreeting, n: 36}),
	starttls("ldap", 389, "LDAP StartTLS, TLS 1.3", line{n: 31}, line{send: "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"}),
	starttls("nntp", 119, "NNTP STARTTLS, TLS 1.3",
		line{send: "200 shop.test ready\r\n", hear: "\r\n"}, line{send: "101 capabilities\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n", hear: "\r\n"}, line{send: "382 begin TLS\r\n"}),
	starttls("sieve", 4190, "ManageSieve STARTTLS, TLS 1.3",
		line{send: "\"IMPLEMENTATION\" \"test\"\r\n\"STARTTLS\"\r\nOK\r\n", hear: "\r\n"}, line{send: "OK begin TLS\r\n"}),
	starttls("irc", 6667, "IRC STARTTLS, TLS 1.3", line{hear: "\r\n"}, line{send: ":shop.test 670 you :begin TLS\r\n"}),
}

// mysqlGreeting is a server's first packet (protocol 10) that offers TLS.
const mysqlGreeting = "\x49\x00\x00\x00\x0a8.0.0\x00\x01\x00\x00\x00abcdefgh\x00\xff\xff\x21\x02\x00\xff\xff\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00abcdefghijkl\x00mysql_native_password\x00"

func pskScene(name, about, suite string) scene {
	args := "-tls1_2 -cipher " + suite + "@SECLEVEL=0 " + pskBoth
	return scene{name: name, about: about, server: opensslServer("rsa", args), clients: []client{openssl(args)}}
}

func gnutlsPSK(name, about, priority, args string) scene {
	return scene{name: name, about: about, server: gnutlsServer("rsa", priority, "--pskpasswd={keys}/psk.txt "+args),
		clients: []client{gnutls(priority, "--pskusername=alice --pskkey="+psk)}}
}
