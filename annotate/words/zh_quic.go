package words

// zhQUIC are the sentences about QUIC and DTLS, in Simplified Chinese.
var zhQUIC = map[string]string{
	"connection-quic":        "从 {from} 到 {to} 的 QUIC {version}，基于 UDP：这是一种内置 TLS 1.3 的传输协议，没有 TCP，也没有 TLS 记录。两条 hello 消息在它的 Initial 数据包中，路径上的任何人都能解密这些数据包，这里也解密了；此后的一切都由 QUIC 自己加密，这里只计数，即使密钥日志中有它的秘密（标签与 TLS 1.3 相同）也是如此。",
	"connection-quic-google": "从 {from} 到 {to} 的 Google 自有 QUIC（{version}），早于标准，基于 UDP：其中没有 TLS，只有它自己的握手，这里不读取；它的数据包只计数。",
	"connection-quic-unread": "从 {from} 到 {to} 的 QUIC，基于 UDP，这里的第一个数据包写的是 {version}：这个版本的数据包该如何读取，这里不知道，所以只计数。",
	"connection-dtls":        "从 {from} 到 {to} 的 DTLS，基于 UDP：TLS 的握手放在可能丢失、重复或乱序的记录中，下面没有 TCP。其中的明文部分在这里讲述；加密的记录只计数，即使密钥日志中有它们的密钥也是如此。",

	"quic-initial-client":      "{client}的一个 Initial 数据包。它是加密的，但密钥来自以明文传输过的连接 ID {id} 和标准中的一个数字：这样防得住差错，防不住想读的人。",
	"quic-initial-server":      "{server}的一个 Initial 数据包：它的密钥同样来自以明文传输过的连接 ID {id}。{server}知道这些密钥，只表明它也看到过这个 ID。",
	"quic-initial-more":        "{sender}的又一个 Initial 数据包，用任何人都能算出的密钥解密。",
	"quic-initial-sealed":      "{sender}发送了 {count}，{bytes} 字节；{reason}。",
	"quic-frames-broken":       "警告：这个数据包的内容不是 Initial 数据包中允许有的内容；它的认证标签却仍然正确，而这是任何人都能做到的。",
	"quic-token":               "{client}交回发给它的令牌，{size} 字节：可见它确实能收到发往它的地址的内容。",
	"quic-token-earlier":       "它交来一个令牌，{size} 字节：按协议规定，令牌来自与{server}的先前连接，或者来自一个不在抓包中的 Retry。",
	"quic-retry":               "{server}还不保存任何信息，并要求{client}带着这个 {size} 字节的令牌重新来：只有能收到发往那个地址的内容的人才做得到。Initial 密钥也随之改变，因为它们现在来自这里给出的连接 ID。",
	"quic-version-negotiation": "{server}不支持{client}选定的版本，并列出自己的版本：{versions}。没有谁为这份列表签名，所以{client}不得因为它而改用较旧的版本。",
	"quic-close":               "{sender}关闭连接：{cause}。路径上的任何人都能造出这个数据包。",
	"quic-handshake-server":    "{server}发送了握手的 {count}（{bytes} 字节）。其中的内容看不到；按协议规定，是 TLS 1.3 在 ServerHello 之后发送的内容，直到 Finished，如果发送证书，证书也在其中；加密所用的密钥只有两端能够算出。{reason}。",
	"quic-handshake-client":    "{client}发送了握手的 {count}（{bytes} 字节）。其中的内容看不到；按协议规定，是它自己那部分握手，直到它的 Finished，以及确认；加密所用的密钥只有两端能够算出。{reason}。",
	"quic-1rtt":                "{sender}发送了 {count}（{bytes} 字节），使用应用数据的密钥。其中是数据还是只有确认，看不到。{reason}。",
	"quic-0rtt":                "{client}发送了标为早期数据（0-RTT）的 {count}（{bytes} 字节）。其中的内容看不到；按协议规定是数据，加密所用的秘密来自先前与{server}的一个连接，发送时不必等待任何回应。录下它们的人可以再次发送。{reason}。",
	"quic-other":               "{sender}发送了 {count}（{bytes} 字节），属于 QUIC {version}，这里不读取。",
	"quic-rest":                "{sender}在这里发送了 {bytes} 字节，不是 QUIC 数据包。",

	"hello-verify-request": "{server}还不保存任何信息，并要求{client}带着这个 {size} 字节的 cookie 再次发出 hello 消息：只有能收到发往那个地址的内容的人才做得到。这条消息和它之前的 ClientHello 都不计入后面的校验值。",
	"client-hello-cookie":  "它交回 {size} 字节的 cookie：可见{client}确实能收到发往它的地址的内容。",
	"client-hello-anew":    "{client}在同样的两个端口之间发出 hello 消息，开始另一次握手。各步骤讲的是第一次。",

	"step-1-quic":          "没有 TCP 连接：{client}向{server}的 {port} 端口发送了一个 UDP 数据报，其中已经带有它的 TLS ClientHello。连接与发出 hello 消息合为一步。",
	"step-1-dtls":          "没有 TCP 连接：{client}把 ClientHello 发往{server}的 UDP {port} 端口，所用的数据报可能丢失，丢失后它会再次发送。",
	"step-1-udp-midstream": "没有 TCP 连接，只有发往{server}的 UDP {port} 端口的数据报（{protocol}）。{client}的 ClientHello 不在抓包中，或者在这里无法读取；这时哪一端是客户端，要由现有的数据包或端口号判断。",
	"step-1-failed-udp":    "{client}把 ClientHello 发往{server}的 UDP {port} 端口；连接在那里就结束了，其他步骤都还没有进行：{cause}。",
	"step-4a-udp":          "{client}继续发送了 {count}，都没有解密。它检查过什么，其中是否有哪一个拒绝了证书，看不到。",
	"step-7-quic":          "{server}发送了 {count}（{bytes} 字节），使用应用数据的密钥：从头部能看出的只有这些。其中有数据，还是只有确认和票据，没有解密，看不到。",
	"step-7-quic-none":     "抓包中没有{server}使用应用数据密钥的数据包。",
	"step-8-quic":          "无法判断：{server}究竟有没有发送过数据，没有解密，看不到。",
	"step-udp-no-hello":    "无法判断：两条 hello 消息不在抓包中，或者在这里无法读取。",
	"step-udp-no-answer":   "无法判断：抓包中没有这里能读取的{server}的 hello 消息。",
	"summary-quic":         "QUIC 的 Initial 数据包任何人都能解密，所以下面就是路径上的任何人能看到的：{seen}。其余仍未解密：{sealed}。",
	"summary-quic-sealed":  "这个连接在这里什么也没有解密。路径上的任何人能看到的是：{seen}。传输过的有：{sealed}。",
	"summary-dtls":         "DTLS 在这里不解密，所以下面就是路径上的任何人能看到的：{seen}；以及握手中其他未加密的内容。仍未解密的有 {count}。",
}
