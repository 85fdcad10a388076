package annotate

// stepSentences tell each step as it happened in one connection. {client} and
// {server} are the two ends of that connection: on the browser's leg {server} is
// the proxy, on the origin's leg {client} is.
var stepSentences = []entry{
	// Step 1: the client connects to port 443.
	{"step-1-as-told", "{Client} opened a TCP connection to port 443 of {server}, the default port of https: the packets show its SYN and the SYN-ACK. What the textbook leaves out follows first: both sides say hello and agree on a version and on ciphers.", []string{"9293 3.5", "9110 4.2.2"}},
	{"step-1-other-port", "{Client} opened a TCP connection to port {port} of {server}, not to 443. TLS does not care: 443 is only the default port of https.", []string{"9110 4.2.2"}},
	{"step-1-other-port-no-syn", "The connection goes to port {port} of {server}, not to 443; it was open before this capture began, so who opened it is not seen.", []string{"9110 4.2.2"}},
	{"step-1-connect", "{Client} opened a TCP connection to port {port} of {server} and sent it CONNECT {asked}: a request for a tunnel to the host and port that the textbook means.", []string{"9110 9.3.6"}},
	{"step-1-no-syn", "The connection goes to port 443, but it was open before this capture began: the packets do not show who opened it.", []string{"9293 3.5"}},
	{"step-1-plain", "{Client} opened a TCP connection to port {port} of {server} and spoke plain HTTP on it: port 443 and TLS belong to https alone.", []string{"9110 4.2.1"}},
	{"step-1-plain-proxy", "{Client} opened a TCP connection to port {port} of {server} and sent a plain HTTP request for {asked} to it: an http URL needs no tunnel, no port 443 and no TLS.", []string{"9112 3.2.2"}},
	{"step-1-failed-hello", "The TCP connection to port {port} of {server} was open, but it ended while the two sides said hello, before any other step: {cause}.", []string{"5246 7.3", "8446 4.1.1"}},
	{"step-1-failed-tcp", "The TCP connection to port {port} of {server} ended before {client} had sent a byte of TLS.", []string{"9293 3.5"}},
	{"step-1-failed-cut", "The TCP connection to port {port} of {server} was open, but it ended inside the first message of {client}: {bytes} bytes of it had come.", []string{"9293 3.6"}},
	{"step-1-failed-refused", "{Server} stopped the connection while the two sides said hello, on purpose: {cause}.", []string{"8446 4.1.1"}},

	// Step 2: the server has a key pair; the private key never leaves it.
	{"step-2-rsa-proven", "{Server} holds the private key of the {key} key in its certificate: only with it can the secret of step 5 be opened, and with that secret {server} made a Finished message, a keyed checksum over everything said so far, that comes out the same when recomputed from these bytes. Sending the certificate had proved nothing yet.", []string{"5246 F.1.1.2", "5246 7.4.9"}},
	{"step-2-minted-rsa-proven", "{Server} holds a key pair of its own, not the site's: the {key} key in the certificate that it made itself for {names}. It opened the secret of step 5 with the private key, and the Finished message made with that secret comes out the same when recomputed. The site's private key stayed with the site.", []string{"5246 F.1.1.2", "5246 7.4.9"}},
	{"step-2-rsa-unchecked", "{Server} went on as only somebody can who opened the secret of step 5 with the private key; but the proof of it, the Finished message, cannot be recomputed here: {reason}.", []string{"5246 F.1.1.2", "5246 7.4.9"}},
	{"step-2-ske-proven", "{Server} signed the fresh public key of this connection together with both sides' random numbers, and the signature holds under the {key} key in its certificate: it had the private key at that moment. Only the signature crossed the wire, never the private key.", []string{"5246 7.4.3", "8422 5.4"}},
	{"step-2-minted-ske-proven", "{Server} signed the fresh public key of this connection together with both sides' random numbers; the signature holds under the {key} key of the certificate that it made itself for {names}. The key pair is the proxy's; the site's private key stayed with the site.", []string{"5246 7.4.3", "8422 5.4"}},
	{"step-2-cv-proven", "{Server} signed a hash of everything said so far, and the signature holds under the {key} key in its certificate: it had the private key at that moment. Only the signature crossed the wire, never the private key.", []string{"8446 4.4.3"}},
	{"step-2-minted-cv-proven", "{Server} signed a hash of everything said so far; the signature holds under the {key} key of the certificate that it made itself for {names}. The key pair is the proxy's; the site's private key stayed with the site.", []string{"8446 4.4.3"}},
	{"step-2-signature-unchecked", "{Server} sent a signature to show that it has the private key of its certificate, but it cannot be checked here: {reason}.", []string{"5246 7.4.3", "8446 4.4.3"}},
	{"step-2-refuted-signature", "REFUTED: {server} sent a certificate, but its signature does not hold under the key in that certificate. Nothing here shows that it has the private key; somebody who copied the certificate would look exactly like this.", []string{"5246 7.4.3", "8446 4.4.3"}},
	{"step-2-refuted-finished", "REFUTED: the Finished message of {server} is not the checksum that the recorded secret and the recorded messages give. Nothing here shows that it opened the secret of step 5.", []string{"5246 7.4.9"}},
	{"step-2-refused", "{Client} did not accept the proof that {server} has the private key: {cause}.", []string{"5246 7.2.2", "8446 6.2"}},
	{"step-2-inherited", "{Server} used no key pair here. It shows that it still knows a secret of {earlier}, and only there was a key pair needed.", []string{"5246 F.1.4", "8446 2.2"}},
	{"step-2-psk", "There is no key pair at all: both sides knew a common secret before they met (a pre-shared key), and show each other that they know it.", []string{"4279 2", "8446 2.2"}},
	{"step-2-anonymous", "There is no key pair that says who {server} is: this suite signs nothing, and whoever sits on the path can answer in its place.", []string{"5246 F.1.1.1"}},
	{"step-2-hidden", "{Server} must prove with a signature that it has the private key of its certificate, but in TLS 1.3 certificate and signature are both encrypted: {reason}.", []string{"8446 2", "8446 4.4.3"}},

	// Step 3: the server sends its public key.
	{"step-3-rsa", "{Server} sent its certificate in clear ({count}); the {key} public key in it is the one that {client} then encrypted with. A certificate is more than the textbook's key: it says whose key it is and who vouches for that.", []string{"5246 7.4.2", "5280 4.1.2.7"}},
	{"step-3-minted-rsa", "{Server} sent a certificate in clear that it had made itself: the site's names ({names}), but the proxy's own {key} public key, the one that {client} then encrypted with.", []string{"5246 7.4.2", "5280 4.1.2.7"}},
	{"step-3-dhe", "{Server} sent two public keys, both in clear: the lasting {key} key in its certificate, which only signs, and a fresh {group} key of {servershare} bytes, made for this connection, with a signature over it.", []string{"5246 7.4.2", "5246 7.4.3", "8422 5.4"}},
	{"step-3-minted-dhe", "{Server} sent two public keys, both in clear: the {key} key of a certificate that it had made itself for {names}, which only signs, and a fresh {group} key of {servershare} bytes, made for this connection, with a signature over it.", []string{"5246 7.4.2", "5246 7.4.3", "8422 5.4"}},
	{"step-3-dhe-half", "{Server} sent its certificate in clear, with the lasting {key} key, which only signs; the fresh key for this connection is to follow.", []string{"5246 7.4.2"}},
	{"step-3-anonymous", "{Server} sent a fresh {group} key of {servershare} bytes in clear, and no certificate: nobody signed it.", []string{"5246 F.1.1.1"}},
	{"step-3-other", "{Server} sent its certificate in clear ({count}), with a {key} key; what this key exchange does with it is not told apart here.", []string{"5246 7.4.2"}},
	{"step-3-tls13", "{Server} sent two public keys: first a fresh {group} key of {servershare} bytes in its ServerHello, in clear; then its certificate with the lasting {key} key, already encrypted. The lasting key only signs.", []string{"8446 4.1.3", "8446 4.2.8", "8446 4.4.2"}},
	{"step-3-minted-tls13", "{Server} sent two public keys: first a fresh {group} key of {servershare} bytes in its ServerHello, in clear; then, encrypted, a certificate that it had made itself: the site's names ({names}), the proxy's own {key} key. That key only signs.", []string{"8446 4.1.3", "8446 4.2.8", "8446 4.4.2"}},
	{"step-3-tls13-sealed", "{Server} sent a fresh {group} key of {servershare} bytes in its ServerHello, in clear. Its certificate must have followed, but encrypted: {reason}.", []string{"8446 4.1.3", "8446 4.2.8", "8446 4.4.2"}},
	{"step-3-tls13-first", "{Server} sent a fresh {group} key of {servershare} bytes in its ServerHello, in clear; its certificate is to follow, encrypted.", []string{"8446 4.1.3", "8446 4.2.8"}},
	{"step-3-mlkem", "{Server} answered with {servershare} bytes of {group}: no key to encrypt with, but a ciphertext made with the client's key, and a fresh key beside it. Its certificate with the lasting {key} key followed, encrypted; that key only signs.", []string{"10024", "8446 4.1.3", "8446 4.4.2"}},
	{"step-3-minted-mlkem", "{Server} answered with {servershare} bytes of {group}: no key to encrypt with, but a ciphertext made with the client's key, and a fresh key beside it. Then, encrypted, came a certificate that it had made itself: the site's names ({names}), the proxy's own {key} key. That key only signs.", []string{"10024", "8446 4.1.3", "8446 4.4.2"}},
	{"step-3-mlkem-sealed", "{Server} answered with {servershare} bytes of {group}: no key to encrypt with, but a ciphertext made with the client's key, and a fresh key beside it. Its certificate must have followed, but encrypted: {reason}.", []string{"10024", "8446 4.1.3", "8446 4.4.2"}},
	{"step-3-mlkem-first", "{Server} answered with {servershare} bytes of {group}: no key to encrypt with, but a ciphertext made with the client's key, and a fresh key beside it. Its certificate is to follow, encrypted.", []string{"10024", "8446 4.1.3"}},
	{"step-3-psk-dhe", "{Server} sent only a fresh {group} key of {servershare} bytes; no certificate, so no lasting key: it is believed for {earlier}.", []string{"8446 2.2", "8446 4.2.8"}},
	{"step-3-absent-resumed", "{Server} sent no key and no certificate: both sides took up a secret of {earlier} again.", []string{"5246 7.3", "5077 3.4", "8446 2.2"}},
	{"step-3-absent-early", "When {client} sent its first encrypted data, {server} had not spoken at all: no key had been sent. {Server} sent its part of a fresh key only afterwards.", []string{"8446 2.3"}},
	{"step-3-absent-psk", "{Server} sent no certificate and no lasting key: the common secret was there before.", []string{"4279 2", "8446 2.2"}},

	// Step 4a: the client checks it.
	{"step-4a-unseen", "{Client} then went on and sent data, so whatever it checked of the certificate was good enough for it. What it checked, and against which list of trusted authorities, cannot be seen: this happens inside {client}, and no message tells.", []string{"5280 6", "9525 6", "9110 4.3.4"}},
	{"step-4a-unseen-fault", "{Client} went on and sent data although {fault}. A client that checks would have stopped; what this one checked cannot be seen.", []string{"5280 6", "9525 6"}},
	{"step-4a-minted", "{Client} accepted a certificate that the proxy had made, and sent data. A client that checks does so only because it trusts the proxy's CA; one that does not check does so too. Which of the two this is cannot be seen here.", []string{"5280 6", "9525 6"}},
	{"step-4a-proxy-ok", "The client here is the proxy itself, which noted what it did: it checked the name {checked}, the dates and the chain against {roots}, and found them good.", []string{"5280 6", "9525 6"}},
	{"step-4a-proxy-bad-went-on", "The client here is the proxy itself, which noted what it found: {finding}. It carried on all the same only to show {asked} to the client's own check: {mirrored}.", []string{"5280 6", "9525 6"}},
	{"step-4a-proxy-bad", "The client here is the proxy itself, which noted what it found: {finding}. It went no further.", []string{"5280 6", "9525 6"}},
	{"step-4a-finished-only", "{Client} finished the handshake and then sent no data. A client that checks late and refuses looks like this, and so does a spare connection that was never needed.", []string{"5280 6"}},
	{"step-4a-finished-only-minted", "{Client} finished the handshake and then sent no data. A client that checks late and refuses the certificate that the proxy had made looks like this, and so does a spare connection that was never needed. If the client complains, it does not trust the proxy's CA: http://explainer.test/, opened through the proxy, shows how to install it.", []string{"5280 6"}},
	{"step-4a-finished", "{Client} finished its part of the handshake, so up to then it had not refused the certificate. What it checked cannot be seen.", []string{"5280 6", "9525 6"}},
	{"step-4a-inherited", "There was no certificate to check; if it was ever checked, then in {earlier}.", []string{"5246 F.1.4", "8446 2.2"}},
	{"step-4a-psk", "There was no certificate to check: who knows the common secret is believed.", []string{"4279 2"}},
	{"step-4a-anonymous", "There was no certificate to check: this suite has none.", []string{"5246 F.1.1.1"}},
	{"step-4a-failed-alert", "{Client} looked at the certificate and refused it: {cause}.", []string{"5246 7.2.2", "8446 6.2"}},
	{"step-4a-failed-minted", "{Client} refused the certificate that the proxy had made: {cause}. Most likely it does not trust the proxy's CA: install it (http://explainer.test/, opened through the proxy, shows how). If it is installed, this client may accept only keys that it knows (pinning).", []string{"5246 7.2.2", "8446 6.2"}},
	{"step-4a-failed-mirrored", "{Client} refused the certificate, and rightly: the proxy passes the fault of the origin's certificate on and does not make it look good. {cause}.", []string{"5280 6", "8446 6.2"}},
	{"step-4a-failed-silent", "{Client} hung up after the certificate without a word: it sent no alert and no data. Most likely it did not accept the certificate; some programs do not say so.", []string{"5246 7.2.2"}},
	{"step-4a-failed-silent-minted", "{Client} hung up after the certificate that the proxy had made, without a word: it sent no alert and no data. Most likely it does not trust the proxy's CA: install it (http://explainer.test/, opened through the proxy, shows how). Some programs do not say why they leave.", []string{"5246 7.2.2"}},
	{"step-4a-failed-late", "{Client} finished the handshake and then closed the connection without sending data, and a client that checks has a reason: {fault}.", []string{"5280 6", "9525 6"}},
	{"step-4a-failed-sealed-alert", "{Client} answered with one encrypted record of the size of an alert (24 bytes) and sent nothing more: most likely it refused the certificate. The alert itself is sealed.", []string{"8446 6.2"}},
	{"step-4a-hidden", "Whether {client} went on after the certificate cannot be told from these bytes: {reason}.", []string{"8446 5.2"}},

	// Step 4b: the client makes a random client key.
	{"step-4b-rsa", "As this key exchange asks, {client} makes 46 random bytes and puts the version that it had offered ({legacy}) before them: the 48-byte premaster secret, which itself is not seen here. It is not yet a key: the keys are derived from it and both sides' random numbers.", []string{"5246 7.4.7.1", "5246 8.1"}},
	{"step-4b-rsa-proven", "{Client} made 46 random bytes and put the version that it had offered ({legacy}) before them: the 48-byte premaster secret, found in the recorded block. It is not yet a key: the keys are derived from it and both sides' random numbers.", []string{"5246 7.4.7.1", "5246 8.1"}},
	{"step-4b-dhe", "{Client} made a fresh {group} key pair for this connection and kept its private half. That is no client key: only one side's private half and the other's public half together give the secret.", []string{"5246 8.1.2", "8422 5.10"}},
	{"step-4b-tls13", "{Client} made a fresh {group} key pair before it had heard anything from {server}, so before step 3. That is no client key: only one side's private half and the other's public half together give the secret.", []string{"8446 4.2.8", "8446 7.4"}},
	{"step-4b-hrr", "{Client} made fresh key pairs twice: what it sent first ({firstgroups}) {server} refused, so it made one for {group}. That is no client key: only one side's private half and the other's public half together give the secret.", []string{"8446 4.1.4", "8446 4.2.8"}},
	{"step-4b-hrr-cookie", "{Client} made its fresh {group} key pair before step 3, but had to say hello twice: {server} first answered with a HelloRetryRequest.", []string{"8446 4.1.4", "8446 4.2.8"}},
	{"step-4b-mlkem", "The steps are reversed: not {client} but {server} made the random secret. {Client} had only made a fresh {group} key pair, before step 3.", []string{"10024", "8446 4.2.8"}},
	{"step-4b-absent-resumed", "{Client} made no key: only a new 32-byte random number, in its hello. The secret is the old one; new keys come of it because the random numbers are new.", []string{"5246 6.3", "5246 F.1.4", "8446 2.2"}},
	{"step-4b-psk-dhe", "{Client} made a fresh {group} key pair, and the secret that comes of it is mixed with the one from {earlier}: who learns the old secret later still cannot read this.", []string{"8446 2.2", "8446 4.2.9"}},
	{"step-4b-psk-mlkem", "The steps are reversed: {server} made the random secret, for a fresh {group} key pair of {client}; it is mixed with the secret from {earlier}.", []string{"10024", "8446 2.2"}},
	{"step-4b-absent-early", "For its early data {client} made no key: that is encrypted with a key that comes of the secret from {earlier} alone.", []string{"8446 2.3", "8446 4.2.10"}},
	{"step-4b-external-dhe", "{Client} made a fresh {group} key pair; the secret that comes of it is mixed with the common secret that both sides had before.", []string{"4279 3", "8446 2.2"}},
	{"step-4b-external", "{Client} made only a fresh random number of 32 bytes, in its hello: the keys are derived from that, from the server's, and from the common secret that both sides had before.", []string{"4279 2"}},

	// Step 4c: the client encrypts it with the server's public key.
	{"step-4c-rsa", "{Client} pads the 48 bytes and encrypts them with the {key} public key of the certificate (RSAES-PKCS1-v1_5). This happens inside {client}; what came of it is in step 5: {size} bytes, as long as the modulus of that key.", []string{"5246 7.4.7.1", "8017 7.2"}},
	{"step-4c-rsa-proven", "{Client} padded the 48 bytes and encrypted them with the {key} public key of the certificate (RSAES-PKCS1-v1_5): the recorded block, encrypted once more with that public key, gives exactly the {size} bytes of step 5.", []string{"5246 7.4.7.1", "8017 7.2"}},
	{"step-4c-rsa-refuted", "REFUTED: what {client} sent in step 5 is not the 48-byte secret, correctly padded and encrypted with the public key of the certificate: {reason}.", []string{"5246 7.4.7.1", "8017 7.2"}},
	{"step-4c-absent-dhe", "Nothing is encrypted with the server's public key: no secret travels at all. Each side combines its own private half with the other's public half and gets the same secret; the key in the certificate only signs.", []string{"5246 F.1.1.3", "8446 1.2"}},
	{"step-4c-mlkem", "Reversed: {server} encrypted the random secret to the fresh {group} key of {client}; the ciphertext is {ciphertext} bytes. The key in the certificate encrypts nothing.", []string{"10024"}},
	{"step-4c-absent-resumed", "Nothing is encrypted with a public key: the secret was already on both sides.", []string{"5246 7.3", "8446 2.2"}},
	{"step-4c-absent-psk", "Nothing is encrypted with a public key: the common secret was there before, and it does not travel.", []string{"4279 2", "8446 2.2"}},

	// Step 5: the client sends the encrypted client key.
	{"step-5-rsa", "{Client} sent the encrypted secret, {size} bytes, in its ClientKeyExchange message. Who one day gets the server's private key can open it in an old recording and read everything: that is one reason why this way of TLS 1.2 is deprecated.", []string{"5246 7.4.7.1", "10015 4"}},
	{"step-5-dhe", "{Client} sent {clientshare} bytes in its ClientKeyExchange message, in clear: the public half of its fresh {group} key. Nothing secret, nothing encrypted.", []string{"5246 7.4.7.2", "8422 5.7"}},
	{"step-5-tls13", "{Client} sent its {clientshare}-byte {group} share, a public value in clear, in its first message, before it had seen any certificate.", []string{"8446 4.2.8"}},
	{"step-5-hrr", "{Client} sent {clientshare} bytes of {group}, a public value in clear, in its second hello, after {server} had refused the first; still before it had seen any certificate.", []string{"8446 4.1.4", "8446 4.2.8"}},
	{"step-5-mlkem", "Reversed: {server} sent the encrypted secret, {ciphertext} bytes, in its ServerHello. For that {client} had sent its {clientshare}-byte {group} share in {whichhello} message, before it had seen any certificate.", []string{"10024", "8446 4.2.8"}},
	{"step-5-absent-id", "{Client} sent only the number of {earlier} (a session id); no key, encrypted or not.", []string{"5246 7.4.1.2", "5246 F.1.4"}},
	{"step-5-ticket", "{Client} handed back a ticket of {ticket} bytes in its hello: the old secret, encrypted not by {client} but by {server}, with a key that only {server} has.", []string{"5077 3.1", "5077 4"}},
	{"step-5-psk-dhe", "{Client} sent in its first message the name of the old secret (a ticket of {ticket} bytes), a keyed checksum that shows that it knows it, and its {clientshare}-byte {group} share.", []string{"8446 4.2.11", "8446 4.2.8"}},
	{"step-5-psk", "{Client} sent in its first message only the name of the old secret (a ticket of {ticket} bytes) and a keyed checksum that shows that it knows it.", []string{"8446 4.2.11", "8446 4.2.9"}},
	{"step-5-early", "{Client} sent the name of the old secret (a ticket of {ticket} bytes), a keyed checksum that shows that it knows it, and at once its first request, already encrypted. Who records that flight can send it again; servers must be prepared for this.", []string{"8446 2.3", "8446 4.2.10", "8446 8"}},
	{"step-5-external", "{Client} sent the name of the common secret ({identity}), not the secret.", []string{"4279 2", "8446 4.2.11"}},

	// Step 6a: the server decrypts it with its private key.
	{"step-6a-rsa-proven", "{Server} opened it with its private key. No message says so, but its Finished comes out right only for somebody who has the 48 bytes; recomputed from the recorded secret and messages, it does.", []string{"5246 7.4.7.1", "5246 7.4.9"}},
	{"step-6a-rsa-unchecked", "{Server} must have opened it with its private key, since both sides went on under keys that come of it; its Finished, the proof, cannot be recomputed here: {reason}.", []string{"5246 7.4.7.1", "5246 7.4.9"}},
	{"step-6a-rsa-refuted", "REFUTED: the Finished message of {server} does not come out of the recorded secret and messages; nothing shows that it opened the secret.", []string{"5246 7.4.9"}},
	{"step-6a-failed", "The handshake broke where {server} had to open the secret and use it: {cause}. A server must not say whether the decryption itself failed, or it would help an attacker to guess the secret.", []string{"5246 7.4.7.1"}},
	{"step-6a-absent-dhe", "There is nothing to decrypt. The private key of the certificate was used earlier, to sign (step 2).", []string{"5246 7.4.3", "8446 4.4.3"}},
	{"step-6a-absent-unproven", "There is nothing to decrypt: no secret was encrypted with the server's public key.", []string{"5246 7.4.3", "8446 1.2"}},
	{"step-6a-mlkem", "Reversed: {client} opened the server's ciphertext with its own fresh private key. Both sides then had the same secret: {evidence}.", []string{"10024", "8446 7.4"}},
	{"step-6a-absent-resumed", "There is nothing to decrypt with a private key: the secret was already on both sides.", []string{"5246 7.3", "8446 2.2"}},
	{"step-6a-ticket", "{Server} opened the ticket, typically with a symmetric key that only it has, not with its private key: its short answer without a certificate shows that it accepted the ticket.", []string{"5077 3.1", "5077 3.4"}},
	{"step-6a-absent-ticket13", "There is nothing to decrypt with a private key. {Server} may have opened the ticket with a symmetric key of its own, or looked the secret up: the wire does not tell.", []string{"8446 4.6.1", "8446 2.2"}},
	{"step-6a-absent-psk", "There is nothing to decrypt: the common secret was there before.", []string{"4279 2"}},

	// Step 6b: the server encrypts the data with the client key.
	{"step-6b-tls12", "{Server} encrypted with a key of its own direction, not with the client's secret itself: from that secret and both random numbers both sides derive two keys, one for each direction ({suite}). And {client} encrypted first.", []string{"5246 6.3", "5246 7.1"}},
	{"step-6b-unknown-suite", "From here on what {server} sent looks encrypted, in a way ({suite}) that is not known here.", []string{"5246 7.1"}},
	{"step-6b-tls12-resumed", "{Server} encrypted with a new key of its own direction ({suite}): both sides derive two keys from the old secret and the new random numbers. Here {server} encrypted first.", []string{"5246 6.3", "5246 7.3"}},
	{"step-6b-tls13", "{Server} encrypted with a key of its own direction ({suite}), and long before any data: everything that it sent after its ServerHello is encrypted.", []string{"8446 2", "8446 7.1", "8446 7.3"}},
	{"step-6b-early", "{Client} encrypted data first, before {server} had said a word; {server} encrypted everything after its ServerHello with a key of its own direction ({suite}).", []string{"8446 2.3", "8446 7.1", "8446 7.3"}},
	{"step-6b-null", "{Server} did not encrypt at all: the suite {suite} only adds a keyed checksum. Everybody on the path reads along.", []string{"5246 6.2.3.1"}},

	// Step 7: the server sends the ciphertext.
	{"step-7-as-told", "{Server} sent encrypted data. Each record also carries a check that nobody changed it, which the textbook does not mention; and {client} had sent its own encrypted request before.", []string{"5246 6.2.3", "5246 10", "8446 5.2"}},
	{"step-7-server-first", "{Server} sent encrypted data, before {client} had sent any. Each record also carries a check that nobody changed it, which the textbook does not mention.", []string{"5246 6.2.3", "5246 10", "8446 5.2"}},
	{"step-7-opened", "{Server} sent encrypted data; its records were opened here with the recorded keys, and the check that each carries against changes holds. {Client} had sent its own encrypted request before.", []string{"5246 6.2.3", "8446 5.2"}},
	{"step-7-opened-server-first", "{Server} sent encrypted data, before {client} had sent any; its records were opened here with the recorded keys, and the check that each carries against changes holds.", []string{"5246 6.2.3", "8446 5.2"}},
	{"step-7-sealed13", "{Server} sent encrypted records after {client} had answered the handshake, {bytes} bytes so far. In TLS 1.3 all records look alike from outside, so which of them are data and which are handshake is not seen.", []string{"8446 5.2"}},
	{"step-7-null", "{Server} sent its data with a keyed checksum but not encrypted ({suite}).", []string{"5246 6.2.3.1"}},
	{"step-7-failed", "The handshake was over on one side, but {server} sent no data: {cause}.", []string{"5246 7.2.2", "8446 6.2"}},

	// Step 8: the client decrypts it.
	{"step-8-opened", "{Client} decrypts it with the key that both derived. This happens inside {client}; opened here with the same key, the records give the plaintext that the story shows.", []string{"5246 6.3", "8446 7.3"}},
	{"step-8-unseen", "{Client} decrypts it with the key that both derived. This happens inside {client}; without the keys it cannot be repeated here: {reason}.", []string{"5246 6.3", "8446 7.3"}},
	{"step-8-null", "There was nothing to decrypt; {client} checked the keyed checksum.", []string{"5246 6.2.3.1"}},

	// Steps 2 to 8 where there is no TLS.
	{"step-absent-plain", "Does not happen: plain HTTP has no keys, no certificate and no encryption. Everybody on the path can read and change what passes, and nothing shows who answers.", []string{"9110 17.1"}},
	{"step-7-plain", "Does not happen: {server} sent its answer in clear.", []string{"9110 17.1"}},
	{"step-8-plain", "Does not happen: there is nothing to decrypt.", []string{"9110 17.1"}},
	{"step-unknown-opaque", "Cannot be told: what passes here is neither TLS nor HTTP.", nil},

	// What holds for any step.
	{"step-not-reached", "Not reached: the connection stopped at step {step}.", nil},
	{"step-not-reached-closed", "Not reached: the connection was closed before.", nil},
	{"step-capture-ends", "Not seen: the capture ends before it.", nil},
	{"step-capture-begins", "Not seen: the capture begins in the middle of this connection.", nil},
	{"step-hidden", "Cannot be seen: {reason}.", nil},
	{"step-failed", "The connection stopped here: {cause}.", []string{"5246 7.2.2", "8446 6.2"}},
	{"step-refuted", "REFUTED: it does not hold that {claim}: {reason}.", nil},
	{"step-refuted-went-on", "REFUTED: it does not hold that {claim}: {reason}. {Client} went on all the same.", nil},

	// Mutual TLS.
	{"mutual-tls-proven", "{Server} also asked {client} for a certificate: {client} sent one ({subject}) and proved with a signature, which holds, that it has the private key. So steps 2 to 4a happened a second time, the other way round.", []string{"5246 7.4.8", "8446 4.4.3"}},
	{"mutual-tls-sent", "{Server} also asked {client} for a certificate, and {client} sent one ({subject}): steps 2 to 4a a second time, the other way round. The signature that goes with it could not be checked here.", []string{"5246 7.4.8", "8446 4.4.3"}},
	{"mutual-tls-refuted", "REFUTED: {client} sent a certificate ({subject}), but its signature does not hold under the key in it: nothing shows that it has the private key.", []string{"5246 7.4.8", "8446 4.4.3"}},
	{"mutual-tls-none", "{Server} also asked {client} for a certificate; {client} sent none.", []string{"5246 7.4.6", "8446 4.4.2"}},
	{"mutual-tls-forwarded", "{Server} asked for a certificate of the client. The proxy cannot pass the browser's on: to use one, its private key is needed (--client-cert).", []string{"8446 4.3.2"}},
}
