package keys

import (
	"crypto"
	_ "crypto/md5" // the hashes that suites name, for crypto.Hash.New
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"strings"
	"sync"
)

// A Cipher is how a suite protects records.
type Cipher uint8

// The ciphers; those after NULL are known by name only.
const (
	OtherCipher Cipher = iota // named in the registry, not told apart here
	AESGCM
	AESCCM
	AESCCM8
	ChaCha20Poly1305
	AESCBC
	TripleDESCBC
	DESCBC // 56 bits
	RC4
	NULL // a MAC and no encryption
	CamelliaCBC
	CamelliaGCM
	ARIACBC
	ARIAGCM
)

var cipherNames = [...]string{
	"other", "AES-GCM", "AES-CCM", "AES-CCM-8", "ChaCha20-Poly1305", "AES-CBC", "3DES-CBC", "DES-CBC", "RC4", "NULL",
	"Camellia-CBC", "Camellia-GCM", "ARIA-CBC", "ARIA-GCM",
}

func (c Cipher) String() string {
	if int(c) < len(cipherNames) {
		return cipherNames[c]
	}
	return cipherNames[OtherCipher]
}

// AEAD tells whether encryption and authentication are one operation (RFC 5246 6.2.3.3).
func (c Cipher) AEAD() bool {
	switch c {
	case AESGCM, AESCCM, AESCCM8, ChaCha20Poly1305, CamelliaGCM, ARIAGCM:
		return true
	}
	return false
}

// CBC tells whether records are padded blocks with a MAC (RFC 5246 6.2.3.2).
// Encrypt-then-MAC (RFC 7366) is only about these.
func (c Cipher) CBC() bool {
	switch c {
	case AESCBC, TripleDESCBC, DESCBC, CamelliaCBC, ARIACBC:
		return true
	}
	return false
}

// A Suite is a cipher suite of the IANA registry. All lengths are in bytes.
type Suite struct {
	ID     uint16
	Name   string // as registered: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
	TLS13  bool   // a suite of TLS 1.3, which says nothing of key exchange and signature
	Export bool   // keys cut to 40 or 56 bits by the export law of the 1990s
	// Hash is the hash of HKDF in TLS 1.3 and of the PRF in TLS 1.2 (before, MD5
	// and SHA-1 serve together whatever the suite). It is 0 where this package
	// does not have the suite's hash; the key schedule's functions then return nil.
	Hash       crypto.Hash
	Cipher     Cipher
	KeyLen     int         // of the encryption key
	MAC        crypto.Hash // of the HMAC; 0 for an AEAD
	MACKeyLen  int         // of the HMAC's key and of the MAC; 0 for an AEAD
	FixedIVLen int         // of an AEAD's IV in the key block or from HKDF; 0 for other ciphers
	BlockLen   int         // of a CBC cipher's block, else 0
	TagLen     int         // of an AEAD's tag, else 0
}

// A Lack is why records of a suite cannot be opened by this package.
type Lack uint8

const (
	LacksNothing     Lack = iota
	LacksExport           // it is an export suite
	LacksCipher           // its cipher has no name here
	LacksNamedCipher      // Suite.Cipher
	LacksMAC
)

// Openable tells whether this package can open the suite's records, given the keys.
func (s *Suite) Openable() bool { return s.Lack() == LacksNothing }

// Lack is why records of this suite cannot be opened.
func (s *Suite) Lack() Lack {
	switch {
	case s.Export:
		return LacksExport
	case s.Cipher == OtherCipher:
		return LacksCipher
	case s.Cipher > NULL:
		return LacksNamedCipher
	case s.MAC == 0 && !s.Cipher.AEAD():
		return LacksMAC
	}
	return LacksNothing
}

// hashLen is the length of Hash in bytes, 0 where there is none.
func (s *Suite) hashLen() int {
	if !s.Hash.Available() {
		return 0
	}
	return s.Hash.Size()
}

var suites = sync.OnceValue(func() map[uint16]*Suite {
	m := make(map[uint16]*Suite, len(registry))
	for _, r := range registry {
		m[r.id] = newSuite(r.id, r.name)
	}
	return m
})

// SuiteByID finds a registered suite. The Suite is shared: do not change it.
func SuiteByID(id uint16) (*Suite, bool) {
	s, ok := suites()[id]
	return s, ok
}

// newSuite reads a suite's parameters from its registered name: what follows
// _WITH_ (in TLS 1.3, TLS_) is cipher, key size, mode and hash. The lengths are
// those of RFC 5246 6.3 and appendix C, 5288 3, 6655 3, 7905 2 and 8446 5.3.
func newSuite(id uint16, name string) *Suite {
	s := &Suite{ID: id, Name: name}
	exchange, spec, old := strings.Cut(name, "_WITH_")
	if !old {
		s.TLS13 = true
		spec = strings.TrimPrefix(name, "TLS_")
	}
	s.Export = strings.Contains(exchange, "_EXPORT")

	hash := crypto.SHA256 // RFC 6655 3 for the CCM suites, whose names have none
	switch spec[strings.LastIndexByte(spec, '_')+1:] {
	case "MD5":
		hash = crypto.MD5
	case "SHA":
		hash = crypto.SHA1
	case "SHA256", "CCM", "8":
	case "SHA384":
		hash = crypto.SHA384
	case "SHA512":
		hash = crypto.SHA512
	default: // SM3, the GOST hashes, no MAC at all
		hash = 0
	}

	for _, c := range [...]struct {
		prefix     string
		cipher     Cipher
		key, block int
		tag        int
	}{
		{"AES_128_GCM", AESGCM, 16, 0, 16},
		{"AES_256_GCM", AESGCM, 32, 0, 16},
		{"AES_128_CCM_8", AESCCM8, 16, 0, 8},
		{"AES_256_CCM_8", AESCCM8, 32, 0, 8},
		{"AES_128_CCM", AESCCM, 16, 0, 16},
		{"AES_256_CCM", AESCCM, 32, 0, 16},
		{"CHACHA20_POLY1305", ChaCha20Poly1305, 32, 0, 16},
		{"AES_128_CBC", AESCBC, 16, 16, 0},
		{"AES_256_CBC", AESCBC, 32, 16, 0},
		{"3DES_EDE_CBC", TripleDESCBC, 24, 8, 0},
		{"DES_CBC_", DESCBC, 8, 8, 0},
		{"RC4_128", RC4, 16, 0, 0},
		{"NULL_", NULL, 0, 0, 0},
		{"CAMELLIA_128_CBC", CamelliaCBC, 16, 16, 0},
		{"CAMELLIA_256_CBC", CamelliaCBC, 32, 16, 0},
		{"CAMELLIA_128_GCM", CamelliaGCM, 16, 0, 16},
		{"CAMELLIA_256_GCM", CamelliaGCM, 32, 0, 16},
		{"ARIA_128_CBC", ARIACBC, 16, 16, 0},
		{"ARIA_256_CBC", ARIACBC, 32, 16, 0},
		{"ARIA_128_GCM", ARIAGCM, 16, 0, 16},
		{"ARIA_256_GCM", ARIAGCM, 32, 0, 16},
	} {
		if strings.HasPrefix(spec, c.prefix) {
			s.Cipher, s.KeyLen, s.BlockLen, s.TagLen = c.cipher, c.key, c.block, c.tag
			break
		}
	}

	s.Hash = hash
	switch {
	case s.Cipher.AEAD():
		s.FixedIVLen = 4 // the nonce's salt; 8 more bytes stand in each record
		if s.TLS13 || s.Cipher == ChaCha20Poly1305 {
			s.FixedIVLen = 12
		}
	case s.Cipher != OtherCipher && hash != 0:
		s.MAC, s.MACKeyLen = hash, hash.Size()
		fallthrough
	default:
		if hash == crypto.MD5 || hash == crypto.SHA1 {
			s.Hash = crypto.SHA256 // RFC 5246 5: the PRF of every suite older than TLS 1.2
		}
	}
	return s
}
