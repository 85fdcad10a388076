package words

// zhClaims are what can be checked by mathematics and how it is checked, in Simplified Chinese.
var zhClaims = map[string]string{
	"claim/server-key-exchange-signature": "这条消息由与{server}的证书配对的私钥生成，而且就是为这个连接生成的",
	"how/server-key-exchange-signature":   "对客户端随机数、服务器随机数及其新密钥的参数所作的签名，用第一张证书的公钥验证时必须成立",

	"claim/server-certificate-verify": "这条消息由与{server}的证书配对的私钥生成，而且就是为这个连接生成的",
	"how/server-certificate-verify":   "对 64 个空格、文字「TLS 1.3, server CertificateVerify」、一个零字节和此前全部握手消息的哈希值所作的签名，用第一张证书的公钥验证时必须成立",

	"claim/client-certificate-verify": "这条消息由与{client}的证书配对的私钥生成，而且就是为这个连接生成的",
	"how/client-certificate-verify":   "对此前全部握手消息所作的签名（在 TLS 1.3 中，是对它们的哈希值、前面加一段固定文字所作的签名），用客户端第一张证书的公钥验证时必须成立",

	"claim/server-finished": "{server}的 Finished 恰好属于这些握手消息和这个秘密",
	"how/server-finished":   "用日志中的秘密派生出密钥，以它对此前全部握手消息的哈希值计算带密钥的校验值（HMAC），结果必须等于消息中的 verify_data",

	"claim/client-later-finished": "{client}在握手之后的 Finished 恰好属于那次握手、这个请求和对它的回答，以及它的数据所用的秘密",
	"how/client-later-finished":   "用客户端此时发送数据所用的秘密派生出密钥，以它对整个握手、CertificateRequest 以及客户端的回答的哈希值计算带密钥的校验值（HMAC），结果必须等于消息中的 verify_data",
	"claim/client-finished":       "{client}的 Finished 恰好属于这些握手消息和这个秘密",
	"how/client-finished":         "用日志中的秘密派生出密钥，以它对此前全部握手消息的哈希值计算带密钥的校验值（HMAC），结果必须等于消息中的 verify_data",

	"claim/certificate-links": "凡是签发者的证书也一起发来的证书，都由那个签发者的密钥签名",
	"how/certificate-links":   "每张证书的签名，用以其签发者为主题的那张证书的公钥验证时必须成立；根证书的签名则用它自己的公钥验证",

	"claim/client-certificate-links": "{client}的证书中，凡是签发者的证书也一起发来的，都由那个签发者的密钥签名",
	"how/client-certificate-links":   "每张证书的签名，用以其签发者为主题的那张证书的公钥验证时必须成立；根证书的签名则用它自己的公钥验证",

	"claim/rsa-block": "所录制的数据块就是{client}加密的内容，而且已按规定填充",
	"how/rsa-block":   "把这个数据块以公开指数求幂，再对证书的模数取模，结果必须是 ClientKeyExchange 中的字节；它必须以 00 02 开头，接着至少 8 个非零字节，一个零字节，最后以 48 字节结束",

	"claim/delegated-credential": "与证书配对的私钥，为随证书而来的委托凭证签了名",
	"how/delegated-credential":   "对 64 个空格、文字「TLS, server delegated credentials」（或 client）、一个零字节、证书、凭证和算法所作的签名，用第一张证书的公钥验证时必须成立",

	"claim/rsa-private-key": "所给的私钥能解开{client}发送的内容，而且其中已按规定填充",
	"how/rsa-private-key":   "把 ClientKeyExchange 中的字节以私有指数求幂，再对模数取模，得到的数据块必须以 00 02 开头，接着至少 8 个非零字节，一个零字节，最后以 48 字节结束；把这个数据块以证书的公开指数求幂，必须重新得到所发送的字节",

	"claim/rsa-premaster-version": "秘密以{client}在 ClientHello 中提供的版本开头",
	"how/rsa-premaster-version":   "48 字节中的前两个必须等于 ClientHello 的版本字段：如果有人在途中降低了版本，在这里就会被发现",

	"claim/rsa-master": "日志中的主密钥由录制的、解开的或日志中记为步骤 5 的那 48 字节派生",
	"how/rsa-master":   "由这 48 字节算出的主密钥，必须等于密钥日志中的主密钥",

	"claim/server-first-record": "来自{server}的第一条数据记录，没有密钥的人一个字节也没有改动过",
	"how/server-first-record":   "这条记录用其方向的密钥、在序列中自己的位置上解密，防篡改校验（AEAD 认证标签或 MAC）通过",

	"claim/client-first-record": "来自{client}的第一条数据记录，没有密钥的人一个字节也没有改动过",
	"how/client-first-record":   "这条记录用其方向的密钥、在序列中自己的位置上解密，防篡改校验（AEAD 认证标签或 MAC）通过",

	"claim/server-first-packet": "来自{server}的第一个带有数据的数据包，没有密钥的人一个字节也没有改动过",
	"how/server-first-packet":   "这个数据包用其方向的密钥和它自己的编号解密，防篡改校验（AEAD 认证标签）通过",

	"claim/client-first-packet": "来自{client}的第一个带有数据的数据包，没有密钥的人一个字节也没有改动过",
	"how/client-first-packet":   "这个数据包用其方向的密钥和它自己的编号解密，防篡改校验（AEAD 认证标签）通过",

	"claim/early-first-packet": "早期数据的第一个数据包是用由日志中的早期流量秘密得到的密钥加密的，而且没有密钥的人没有改动过它",
	"how/early-first-packet":   "这个数据包用那个秘密解密，防篡改校验通过",

	"claim/server-records": "{server}发送的数据，没有密钥的人一个字节也没有改动过，中间也没有缺失任何记录",
	"how/server-records":   "每条记录都必须用其方向的密钥、在序列中自己的位置上解密，防篡改校验（AEAD 认证标签或 MAC）通过；只要有一条被改动、缺失或被添加，下一条就会解密失败",

	"claim/client-records": "{client}发送的数据，没有密钥的人一个字节也没有改动过，中间也没有缺失任何记录",
	"how/client-records":   "每条记录都必须用其方向的密钥、在序列中自己的位置上解密，防篡改校验（AEAD 认证标签或 MAC）通过；只要有一条被改动、缺失或被添加，下一条就会解密失败",

	"claim/early-first-record": "早期数据的第一条记录是用由日志中的早期流量秘密得到的密钥加密的，而且没有密钥的人没有改动过它",
	"how/early-first-record":   "这条记录用那个秘密解密，防篡改校验通过",

	"claim/resumed-master": "这个连接使用先前那个连接的主密钥",
	"how/resumed-master":   "日志中两个连接的主密钥必须相等；如果日志中只有先前那个连接的，用它算出的 Finished 必须就是消息中的 Finished",

	"claim/psk-binder": "{client}知道它所指明的秘密，而且那就是先前连接的秘密",
	"how/psk-binder":   "binder 是对去掉 binder 部分的 ClientHello 计算的带密钥校验值，必须用那个秘密才能计算",

	"claim/minted-leaf": "线路上的证书，就是代理所说的自己制作的那一张",
	"how/minted-leaf":   "第一张证书的 SHA-256 必须等于代理记下的值",

	"claim/quic-client-initial": "这个 Initial 数据包的密钥，来自以明文传输过的连接 ID",
	"how/quic-client-initial":   "密钥由那个 ID 和标准中的一个数字用 HKDF 派生；使用它们，数据包的认证标签（AEAD）必须正确",

	"claim/quic-server-initial": "这个 Initial 数据包的密钥，来自以明文传输过的连接 ID：发送它的人看到过这个 ID",
	"how/quic-server-initial":   "密钥由那个 ID 和标准中的一个数字用 HKDF 派生；使用它们，数据包的认证标签（AEAD）必须正确",

	"claim/ech-accepted":      "这条记录的密钥来自另一个 ClientHello，而不是明文的那一个；{server}采用加密的 ClientHello（ECH）时就是这样",
	"how/ech-accepted":        "密钥日志中有一个秘密，写的随机数不是明文 ClientHello 的；用它解密这条记录，认证标签（AEAD）必须正确",
	"claim/ech-opened":        "用日志中的秘密能解开这个 ClientHello 中加密的内容，而且没有那个秘密的人，没有改动过它和它外面的 ClientHello",
	"how/ech-opened":          "密钥由密钥日志中的 ECH_SECRET 和 ECH_CONFIG 得出（HPKE）；使用它们，对加密的内容和 ClientHello 其余部分的认证标签（AEAD）必须正确",
	"claim/ech-confirmed":     "{server}解开了加密的 ClientHello，并采用了它",
	"how/ech-confirmed":       "回答中表示这一点的 8 个字节（ServerHello 的随机数的最后 8 个，或 HelloRetryRequest 的扩展），必须等于用 HKDF 由加密的 ClientHello 的随机数和到此为止各条消息的散列得出的字节，计算时这 8 个字节的位置上是零",
	"claim/ech-not-confirmed": "{server}没有采用加密的 ClientHello",
	"how/ech-not-confirmed":   "回答中表示这一点的 8 个字节（ServerHello 的随机数的最后 8 个，或 HelloRetryRequest 的扩展），必须不同于用 HKDF 由加密的 ClientHello 的随机数和到此为止各条消息的散列得出的字节，计算时这 8 个字节的位置上是零",
	"claim/quic-retry-tag":    "这个 Retry 回应的是{client}的第一个数据包：发送它的人看到过其中的连接 ID",
	"how/quic-retry-tag":      "它末尾的认证标签，必须等于用标准中写明的密钥、以 AES-128-GCM 对那个 ID 和这个 Retry 计算的标签",
}
