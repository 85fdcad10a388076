package verify

import (
	"crypto/sha256"
	"encoding/hex"
)

// leaked are keys whose private half everybody can have, by the SHA-256 of the
// SubjectPublicKeyInfo: whoever trusts one trusts anybody. Where the hash comes from:
// the certificates in the public repositories of badssl.com (B), the list of blocked
// keys of Chromium, net/cert/cert_verify_proc_blocklist.inc and its README (C), and
// the program itself (P).
var leaked = map[[32]byte]string{
	spki("4bb8f35ba1e126f8dde1b0c420625ed86dce61a7bddadbdea9aba578ff13145e"): "Superfish",             // C
	spki("cdee9f3305572a677e1a6c82dc1e02a35b11cae6a684338c9f37fe1ac8daec23"): "eDellRoot",             // B, C
	spki("130ad4e0633521290531b6651f5759b0bc7bc656709ff8f365c2143b0389b6f6"): "DSDTestProvider",       // C
	spki("1af56c98ff043ef92bebff54cebb4dd67a25ba956c817f3e6dd3c1e52eb584c1"): "Cyberoam",              // C
	spki("0c43ea8bcde9fc3bca165664ac8215567e3489d5393a0c81e1a79141992e1953"): "Sennheiser HeadSetup",  // C
	spki("8f591f7aa4dc3efe9490c38a4692c9011ed128f1de595569406d77b6fa1f6b4c"): "Sennheiser HeadSetup",  // C
	spki("707d364e72ae521431dd953897f9c4846d5b8c324298fe53fbd4ada1f2d1157f"): "Mitel",                 // C
	spki("6adb8e3e055460922d1501cb97f94c6a02e39c8f2774ca408825b7b58379dc14"): "Mitel",                 // C
	spki("490b6ec6beb2d6034720b5149b6b29cd35515988cc16af854148b07b9b1f8a11"): "Mitel",                 // C
	spki("ef551284715232de92e246c323329362b132493bb16b589e4775520beb871a56"): "Mitel",                 // C
	spki("2bd1e667ec9ebbe02b9a7da264210c99b3eac1cc9141a0e30e3f623eaccec4e1"): "webpack-dev-server",    // B
	spki("c012de113a81789eb5c392c0580156bbc281f9f93e07f08cafa3329672e6993b"): "goproxy's built-in CA", // P
}

func spki(s string) [32]byte {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		panic("verify: " + s + " is no SHA-256")
	}
	return [32]byte(b)
}

// PublishedKey reports whether the private half of a key is published, and whose
// key it is. spki is the DER of the SubjectPublicKeyInfo.
func PublishedKey(spki []byte) (owner string, ok bool) {
	owner, ok = leaked[sha256.Sum256(spki)]
	return owner, ok
}
