package words

// zhExam are examPieces in Chinese.
var zhExam = map[string]string{
	"exam/title":     "关于 {name} 的问题（种子 {seed}）",
	"exam/key-title": "正确答案：关于 {name} 的问题，种子 {seed}。每行是题号和字母；# 之后是理由。",
	"exam/intro":     "所有问题都针对同一份真实的录制文件。每个问题只有一个正确答案，正确与否由录下的字节决定。",
	"exam/who":       "姓名：",
	"exam/points":    "得分：____ / {n}",
	"exam/packet":    "数据包",
	"exam/answer":    "答案：",
	"exam/order-how": "请按正确的顺序写出所有字母。",
	"exam/part":      "连接 {n}：{host}",
	"exam/blank":     "_______（空 {n}）",

	"exam/sends":        "{who}发送 {message}。",
	"exam/why-recorded": "这份录制文件的数据包 {packet} 中就是这样：{sent}",

	"exam/q-first":           "哪条 TLS 消息最先出现？",
	"exam/q-next":            "数据包 {packet} 中传输了：{sent}这份录制文件中，下一条 TLS 消息是哪一条？",
	"exam/q-order":           "这些消息第一次出现的先后顺序是怎样的？",
	"exam/q-blank":           "数据包 {packet} 中的空 {n} 处少了哪条消息？",
	"exam/q-verdict":         "书上的第 {step} 步：{title}。它在这个连接中怎么样了？",
	"exam/q-key-travels":     "这个连接的双方是怎样得到一个别人没有的秘密的？",
	"exam/q-certificate-key": "与服务器证书对应的私钥，在这个连接中做了什么？",
	"exam/q-name-seen":       "谁能看到这个连接要访问哪个网站？",
	"exam/q-request-seen":    "线路上没有任何密钥的人，能看到数据包 {packet} 里的数据的哪些情况？",
	"exam/q-first-data":      "在握手之外，谁最先发送了加密的数据？",
	"exam/q-vouched":         "服务器发送了 {name} 的证书。如果所有检查都通过，由此知道什么？",
	"exam/q-port":            "客户端连接了 443 端口。仅凭这一点知道什么？",
	"exam/q-refused":         "这次握手被中止了。由谁中止，怎样中止？",

	"exam/a-private-key":   "服务器发送自己的私钥。",
	"exam/a-plain-request": "客户端发送自己的 HTTP 请求，没有加密。",
	"exam/a-client-key":    "客户端发送客户端密钥，用证书的公钥加密。",

	"exam/verdict-as-told":     "它与书上一致。",
	"exam/verdict-differently": "由别的做法完成了同样的事，或者在顺序上的另一处完成。",
	"exam/verdict-absent":      "它根本没有发生。",
	"exam/verdict-unseen":      "它在某一端内部发生：没有消息显示它，只能看到它的证据。",
	"exam/verdict-inherited":   "它沿用了先前的连接。",
	"exam/verdict-failed":      "连接在这里失败了。",
	"exam/verdict-not-reached": "没有进行到它：连接在此之前就停止了。",

	"exam/a-key-encrypted":   "客户端生成了它，用证书的公钥加密后发送。",
	"exam/a-key-agreed":      "它从未发送：双方各自用自己的私有值和对方的公开值算出了它。",
	"exam/a-key-both":        "由两个秘密得出：一个由服务器用客户端的临时密钥加密，另一个从未发送。",
	"exam/a-key-certificate": "它写在服务器的证书里。",
	"exam/a-key-port":        "它属于 443 端口：谁连接那里，谁就有它。",
	"exam/a-key-hello":       "服务器在 ServerHello 中发送了它，没有加密。",

	"exam/a-signed":         "它用来签名：签名表明服务器拥有它。",
	"exam/a-decrypted":      "它解密了客户端用证书的公钥加密的内容。",
	"exam/a-encrypted-page": "它加密了网页。",
	"exam/a-was-sent":       "它和证书一起发送给了客户端。",

	"exam/a-everybody":  "线路上的每一个人。",
	"exam/a-nobody":     "线路上没有人能看到：HTTPS 会隐藏访问的是哪个网站。",
	"exam/a-the-two":    "只有客户端和服务器。",
	"exam/a-key-holder": "在线路上，只有拥有服务器私钥的人。",
	"exam/why-name":     "数据包 {packet} 中的 ClientHello 含有名称 {name}，没有加密。",

	"exam/a-size-and-time": "大概有多少、何时传输、在哪些地址之间。",
	"exam/a-path":          "网页的路径，但看不到内容。",
	"exam/a-all":           "全部内容：只有密码是加密的。",
	"exam/a-not-even":      "什么也看不到，连发送过东西都不知道。",
	"exam/why-request":     "数据包 {packet} 中的内容是加密的，在这里用密钥解密：它的长度、时间和地址没有加密。",

	"exam/a-client-first":     "客户端。",
	"exam/a-server-first":     "服务器。",
	"exam/a-certificate-does": "都不是：由证书来加密。",
	"exam/a-no-data":          "没有人：数据只是签了名。",

	"exam/a-key-of-name": "有客户端所信任的一方担保，这个公钥属于这个名称。",
	"exam/a-honest":      "网站的经营者是诚实的。",
	"exam/a-encrypts":    "网页是用证书加密的。",
	"exam/a-has-it":      "服务器此刻拥有私钥：因为它发送了证书。",
	"exam/why-vouched":   "任何见过证书的人都能发送它：服务器拥有私钥，要由它的签名或它的 Finished 来表明；而经营者做什么，这里没有任何东西能说明。",

	"exam/a-nothing-yet":    "客户端想去哪里；还没有任何东西受到保护。",
	"exam/a-port-encrypted": "接下来的一切都是加密的。",
	"exam/a-port-checked":   "服务器的证书已经检查过了。",
	"exam/a-port-right":     "它就是那个正确的服务器。",
	"exam/why-port":         "443 只是 https 的默认端口：那里可以使用任何协议，TLS 也可以在任何别的端口上使用。",

	"exam/a-refused": "{who}，以警报 {alert} 中止。",
	"exam/a-went-on": "没有人：它继续到了传输数据。",

	"exam/bad-key":    "正确答案的第 {line} 行不是题号加字母：{text}",
	"exam/bad-answer": "答案的第 {line} 行不是题号加字母，或者重复了：{text}",

	"exam/wrong":        "{n}：{given}，正确的是 {right}",
	"exam/not-answered": "{n}：没有作答，正确的是 {right}",
	"exam/result":       "{points} / {of} 分",

	"error/exam-one-file":  "问题只针对一个抓包文件，这里有好几个",
	"error/exam-same-file": "正确答案会覆盖抓包文件：给 --key-file 换一个名称",
	"error/exam-questions": "--questions 要一个从 1 起的数",
	"error/exam-nothing":   "{file} 中没有可以提问的连接",
	"hint/exam-nothing":    "需要有一次 TLS 握手；要针对加密的内容提问，用 --keylog 给出密钥",
	"error/exam-mark":      "exam mark 需要两个文件：正确答案和作答",
	"file/exam-key":        "试题的正确答案",
	"file/exam-answers":    "作答",
}
