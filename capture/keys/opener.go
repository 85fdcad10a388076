package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Why a record could not be opened. Neither is an error of this program: a wrong
// key, a changed byte and a record of another sequence number all look like this.
var (
	ErrTag    = errors.New("the record's authentication tag is wrong")
	ErrRecord = errors.New("this cannot be a record under these keys")
)

var (
	errShort   = fmt.Errorf("%w: it is too short", ErrRecord)
	errBlocks  = fmt.Errorf("%w: it is not whole cipher blocks", ErrRecord)
	errPadding = fmt.Errorf("%w: its padding is wrong", ErrRecord)
	errType    = fmt.Errorf("%w: there is no content type inside", ErrRecord)
)

// An Opener opens the records of one direction, under one set of keys, in order.
//
// It works on recordings, where an attacker cannot ask again and time the
// answer, so it does not take care to run in constant time.
type Opener struct {
	seq   uint64
	tls13 bool
	bare  bool // a draft of TLS 1.3 in which record headers are not authenticated

	// An AEAD.
	aead     cipher.AEAD
	iv       [12]byte // with explicit, only the first 4 bytes count
	explicit bool     // 8 bytes of the nonce stand in each record (RFC 5288 3)

	// A cipher and a MAC. Without block and stream the cipher is NULL.
	block      cipher.Block
	explicitIV bool   // TLS 1.1 and later
	chainIV    []byte // TLS 1.0: the last ciphertext block of the record before
	etm        bool   // the MAC is over the ciphertext (RFC 7366)
	ssl30      bool   // the padding is only counted, and the MAC does not cover the version
	stream     *rc4.Cipher
	mac        hash.Hash

	// Of a record of DTLS with a connection ID (RFC 9146): this, not nil, and its header.
	cid, cidHeader []byte

	nonce  [12]byte
	header [13]byte // what is authenticated beside the content
	sum    []byte
}

// NewTLS12 makes the openers of both directions for SSL 3.0 and TLS 1.0, 1.1 and 1.2 from the
// 48-byte master secret and the Hellos' randoms, 32 bytes each. With etm the
// connection uses encrypt-then-MAC; it counts for CBC suites only (RFC 7366 3).
func NewTLS12(version uint16, s *Suite, master, clientRandom, serverRandom []byte, etm bool) (client, server *Opener, err error) {
	switch {
	case version < versionSSL30 || version > versionTLS12:
		return nil, nil, fmt.Errorf("version %#04x is not SSL 3.0, TLS 1.0, 1.1 or 1.2", version)
	case version == versionSSL30 && pads30[s.MAC] == 0:
		return nil, nil, fmt.Errorf("%s is no suite of SSL 3.0", s.Name)
	case s.TLS13:
		return nil, nil, fmt.Errorf("%s is a suite of TLS 1.3", s.Name)
	case !s.Openable():
		return nil, nil, fmt.Errorf("cannot open records of %s", s.Name)
	case s.Cipher.AEAD() && version < versionTLS12:
		return nil, nil, fmt.Errorf("%s needs TLS 1.2", s.Name)
	case len(master) != 48:
		return nil, nil, fmt.Errorf("a master secret is 48 bytes, not %d", len(master))
	case len(clientRandom) != 32 || len(serverRandom) != 32:
		return nil, nil, fmt.Errorf("randoms are 32 bytes, not %d and %d", len(clientRandom), len(serverRandom))
	}
	b := NewKeyBlock(version, s, master, clientRandom, serverRandom)
	if client, err = newOpener12(version, s, b.ClientMAC, b.ClientKey, b.ClientIV, etm); err != nil {
		return nil, nil, err
	}
	if server, err = newOpener12(version, s, b.ServerMAC, b.ServerKey, b.ServerIV, etm); err != nil {
		return nil, nil, err
	}
	return client, server, nil
}

func newOpener12(version uint16, s *Suite, macKey, key, iv []byte, etm bool) (*Opener, error) {
	o := &Opener{}
	var err error
	switch s.Cipher {
	case AESCBC:
		o.block, err = aes.NewCipher(key)
	case DESCBC:
		o.block, err = des.NewCipher(key)
	case TripleDESCBC:
		o.block, err = des.NewTripleDESCipher(key)
	case RC4:
		o.stream, err = rc4.NewCipher(key)
	case NULL:
	default:
		o.explicit = s.Cipher != ChaCha20Poly1305
		copy(o.iv[:], iv)
		o.aead, err = NewAEAD(s, key)
		return o, err
	}
	if err != nil {
		return nil, err
	}
	o.ssl30 = version == versionSSL30
	o.mac = newHMAC(s.MAC, macKey)
	if o.ssl30 {
		o.mac = newMAC30(s.MAC, macKey)
	}
	o.sum = make([]byte, 0, s.MACKeyLen)
	if s.Cipher.CBC() {
		o.etm = etm
		o.explicitIV = version > versionTLS10
		o.chainIV = iv
	}
	return o, nil
}

// NewTLS13 makes the opener of one direction from its traffic secret: early
// data, handshake or application (RFC 8446 7.1).
func NewTLS13(s *Suite, trafficSecret []byte) (*Opener, error) {
	switch {
	case !s.TLS13:
		return nil, fmt.Errorf("%s is no suite of TLS 1.3", s.Name)
	case !s.Openable():
		return nil, fmt.Errorf("cannot open records of %s", s.Name)
	case len(trafficSecret) != s.hashLen():
		return nil, fmt.Errorf("a traffic secret of %s is %d bytes, not %d", s.Name, s.hashLen(), len(trafficSecret))
	}
	key, iv := TrafficKeys(s, trafficSecret)
	o := &Opener{tls13: true}
	copy(o.iv[:], iv)
	var err error
	if o.aead, err = NewAEAD(s, key); err != nil {
		return nil, err
	}
	return o, nil
}

// Bare makes an opener of TLS 1.3 one of a draft before the 25th, in which a
// record's header was not authenticated.
func (o *Opener) Bare() { o.bare = true }

// NewAEAD makes the AEAD of a suite that has one, from a key of KeyLen bytes.
func NewAEAD(s *Suite, key []byte) (cipher.AEAD, error) {
	if s.Cipher == ChaCha20Poly1305 {
		return chacha20poly1305.New(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if s.Cipher == AESGCM {
		return cipher.NewGCM(block)
	}
	return &ccm{block, s.TagLen}, nil
}

// Seq is the sequence number of the next record, so the number of records opened or sealed.
func (o *Opener) Seq() uint64 { return o.seq }

// Open decrypts one record, checks its integrity and appends its content to dst.
// typ and version are those of the record's header; fragment is what follows the
// header, and must not overlap dst's spare capacity. inner is the content's type:
// typ, but for TLS 1.3, where it stands behind the content and any padding is dropped.
//
// The error is [ErrTag] or wraps [ErrRecord]; then the opener is as it was
// before, plain is dst, and dst's spare capacity holds nothing of use.
func (o *Opener) Open(dst []byte, typ byte, version uint16, fragment []byte) (plain []byte, inner byte, err error) {
	if o.aead == nil {
		plain, err = o.openMAC(dst, typ, version, fragment)
		if err != nil {
			return dst, 0, err
		}
		o.seq++
		return plain, typ, nil
	}
	nonce, text := o.nonce[:], fragment
	if o.explicit {
		if len(fragment) < 8 {
			return dst, 0, errShort
		}
		copy(nonce, o.iv[:4])
		copy(nonce[4:], fragment)
		text = fragment[8:]
	} else {
		o.setNonce()
	}
	size := len(text) - o.aead.Overhead()
	if size < 0 {
		return dst, 0, errShort
	}
	plain, err = o.aead.Open(dst, nonce, text, o.additional(typ, version, size, len(fragment)))
	if err != nil {
		return dst, 0, ErrTag
	}
	if o.tls13 {
		content := bytes.TrimRight(plain[len(dst):], "\x00")
		if len(content) == 0 {
			return dst, 0, errType
		}
		typ = content[len(content)-1]
		plain = plain[:len(dst)+len(content)-1]
	}
	o.seq++
	return plain, typ, nil
}

// TypeCID is the type of a record of DTLS 1.2 that has a connection ID (RFC 9146 4).
const TypeCID = 25

// OpenDTLS is [Opener.Open] for a record of DTLS 1.2 or 1.0, which depends on no other one: number
// is its epoch (16 bits) and its sequence number (48 bits), as they stand in its header (RFC 6347
// 4.1.2.1). cid is its connection ID if typ is [TypeCID]; then inner is the type behind the
// content, and the padding behind that is dropped (RFC 9146 4).
func (o *Opener) OpenDTLS(dst []byte, number uint64, cid []byte, typ byte, version uint16, fragment []byte) (plain []byte, inner byte, err error) {
	o.seq, o.cid = number, nil
	if typ == TypeCID {
		o.cid = append([]byte{}, cid...)
	}
	plain, inner, err = o.Open(dst, typ, version, fragment)
	if err != nil || typ != TypeCID {
		return plain, inner, err
	}
	content := bytes.TrimRight(plain[len(dst):], "\x00")
	if len(content) == 0 {
		return dst, 0, errType
	}
	return plain[:len(dst)+len(content)-1], content[len(content)-1], nil
}

// additionalCID is what is authenticated beside the content of a record with a connection ID,
// by an AEAD and by a MAC alike (RFC 9146 5).
func (o *Opener) additionalCID(version uint16, content int) []byte {
	h := append(o.cidHeader[:0], 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, TypeCID, byte(len(o.cid)), TypeCID)
	h = binary.BigEndian.AppendUint16(h, version)
	h = binary.BigEndian.AppendUint64(h, o.seq)
	h = append(h, o.cid...)
	o.cidHeader = binary.BigEndian.AppendUint16(h, uint16(content))
	return o.cidHeader
}

// Seal is the opposite of Open: it encrypts plaintext as the next record, appends
// the record's fragment to dst and counts the record. In TLS 1.3, typ goes inside,
// without padding, and the record's header must be application_data, 0x0303; in
// TLS 1.2 its type must be typ and its version version. Only AEAD suites can be sealed.
func (o *Opener) Seal(dst []byte, typ byte, version uint16, plaintext []byte) ([]byte, error) {
	if o.aead == nil {
		return dst, errors.New("only records of AEAD suites can be sealed")
	}
	nonce := o.nonce[:]
	header := typ
	length := len(plaintext) + o.aead.Overhead()
	if o.explicit {
		copy(nonce, o.iv[:4])
		binary.BigEndian.PutUint64(nonce[4:], o.seq)
		dst = append(dst, nonce[4:]...)
	} else {
		o.setNonce()
	}
	if o.tls13 {
		plaintext = append(slices.Clip(plaintext), typ)
		length++
		header, version = 23, versionTLS12
	}
	dst = o.aead.Seal(dst, nonce, plaintext, o.additional(header, version, len(plaintext), length))
	o.seq++
	return dst, nil
}

// setNonce makes the nonce from the IV and the sequence number (RFC 8446 5.3, 7905 2).
func (o *Opener) setNonce() {
	o.nonce = o.iv
	tail := o.nonce[4:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^o.seq)
}

// additional is what an AEAD authenticates beside the content: in TLS 1.3 the
// record's header (RFC 8446 5.2), before that the sequence number and the header
// with the content's length (RFC 5246 6.2.3.3).
func (o *Opener) additional(typ byte, version uint16, content, fragment int) []byte {
	if o.bare {
		return nil
	}
	if o.tls13 {
		h := o.header[:5]
		h[0] = typ
		binary.BigEndian.PutUint16(h[1:], version)
		binary.BigEndian.PutUint16(h[3:], uint16(fragment))
		return h
	}
	if o.cid != nil {
		return o.additionalCID(version, content)
	}
	h := o.header[:]
	binary.BigEndian.PutUint64(h, o.seq)
	h[8] = typ
	binary.BigEndian.PutUint16(h[9:], version)
	binary.BigEndian.PutUint16(h[11:], uint16(content))
	return h
}

// openMAC opens records of the suites with an HMAC (RFC 5246 6.2.3.1 and 6.2.3.2).
// It changes the opener's state only after all checks.
func (o *Opener) openMAC(dst []byte, typ byte, version uint16, fragment []byte) ([]byte, error) {
	if len(fragment) < o.mac.Size() {
		return nil, errShort
	}
	cut := len(fragment) - o.mac.Size()
	if o.etm {
		if !o.macIs(fragment[cut:], typ, version, fragment[:cut]) {
			return nil, ErrTag
		}
		fragment = fragment[:cut]
	}

	n := len(dst)
	var stream rc4.Cipher
	switch {
	case o.block != nil:
		size := o.block.BlockSize()
		iv := o.chainIV
		if o.explicitIV {
			if len(fragment) < size {
				return nil, errShort
			}
			iv, fragment = fragment[:size], fragment[size:]
		}
		if len(fragment) == 0 || len(fragment)%size != 0 {
			return nil, errBlocks
		}
		dst = slices.Grow(dst, len(fragment))[:n+len(fragment)]
		cipher.NewCBCDecrypter(o.block, iv).CryptBlocks(dst[n:], fragment)
		padding := int(dst[len(dst)-1]) + 1
		if padding > len(fragment) {
			return nil, errPadding
		}
		if o.ssl30 && padding > size {
			return nil, errPadding
		}
		for _, b := range dst[len(dst)-padding:] {
			if int(b) != padding-1 && !o.ssl30 {
				return nil, errPadding
			}
		}
		dst = dst[:len(dst)-padding]
	case o.stream != nil:
		stream = *o.stream
		dst = slices.Grow(dst, len(fragment))[:n+len(fragment)]
		stream.XORKeyStream(dst[n:], fragment)
	default:
		dst = append(dst, fragment...)
	}

	if !o.etm {
		cut := len(dst) - o.mac.Size()
		if cut < n {
			return nil, errPadding
		}
		if !o.macIs(dst[cut:], typ, version, dst[n:cut]) {
			return nil, ErrTag
		}
		dst = dst[:cut]
	}
	if o.stream != nil {
		*o.stream = stream
	}
	if o.block != nil && !o.explicitIV {
		o.chainIV = append(o.chainIV[:0], fragment[len(fragment)-o.block.BlockSize():]...)
	}
	return dst, nil
}

// macIs tells whether mac is the record's MAC over content.
func (o *Opener) macIs(mac []byte, typ byte, version uint16, content []byte) bool {
	o.mac.Reset()
	header := o.additional(typ, version, len(content), 0)
	if o.ssl30 { // without the version (RFC 6101 5.2.3.1)
		header = append(header[:9], header[11:]...)
	}
	o.mac.Write(header)
	o.mac.Write(content)
	o.sum = o.mac.Sum(o.sum[:0])
	return bytes.Equal(mac, o.sum)
}
