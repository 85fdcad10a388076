package words

// zhMeanings are what alerts say, in Simplified Chinese.
var zhMeanings = map[string]string{
	"meaning/alert-close-notify":                    "它要发送的都已发完",
	"meaning/alert-bad-record-mac":                  "有一条记录与它的密钥不符，要么字节被改动了，要么双方的密钥不同",
	"meaning/alert-handshake-failure-chosen":        "它不再继续这次握手。此前是它自己选定了版本和密码套件，所以问题出在后来的某处",
	"meaning/alert-handshake-failure-answered":      "它不愿按对方选定的方式继续这次握手，或者不愿说明不满意什么",
	"meaning/alert-handshake-failure":               "在对方提供的版本、密码套件和群组中，它没有找到自己也支持的，或者它不愿说明不满意什么",
	"meaning/alert-bad-certificate":                 "证书有问题（有些程序对任何缺陷都发送这个警报，包括颁发机构未知或名称不对）",
	"meaning/alert-unsupported-certificate":         "证书的类型或用途是它不接受的",
	"meaning/alert-certificate-revoked":             "证书颁发机构已经吊销了这张证书",
	"meaning/alert-certificate-expired":             "证书已过期或尚未生效",
	"meaning/alert-certificate-unknown":             "它没有接受证书，原因没有说明（Chromium 对任何缺陷都发送这个警报）",
	"meaning/alert-unknown-ca":                      "为这张证书担保的颁发机构，它一个也不信任",
	"meaning/alert-access-denied":                   "证书或共享秘密有效，但不准许其持有者访问",
	"meaning/alert-decrypt-error":                   "某个签名、Finished 或 binder 算出来不对",
	"meaning/alert-decode-error":                    "它无法解析某条消息",
	"meaning/alert-illegal-parameter":               "某条消息中有一个值在那里是不允许的",
	"meaning/alert-unexpected-message":              "来了一条不该出现在这里的消息",
	"meaning/alert-protocol-version":                "对方提供或选定的协议版本，它都不接受",
	"meaning/alert-insufficient-security":           "在它看来，对方提供的太弱",
	"meaning/alert-internal-error":                  "它内部出了故障（有些程序不满意证书时也发送这个警报）",
	"meaning/alert-inappropriate-fallback":          "双方本来都支持更高的版本，客户端却用较低的版本重试；可能有人干扰了第一次尝试",
	"meaning/alert-user-canceled":                   "这是有人中止的，不是协议有错",
	"meaning/alert-no-renegotiation":                "它不会在这个连接上开始另一次握手",
	"meaning/alert-missing-extension":               "缺少一个必须有的扩展",
	"meaning/alert-unsupported-extension":           "来了一个谁也没有提供过的扩展",
	"meaning/alert-unrecognized-name":               "它没有客户端所请求名称的站点",
	"meaning/alert-bad-certificate-status-response": "随证书而来的吊销状态声明不合格",
	"meaning/alert-unknown-psk-identity":            "它不知道所指明的共享秘密",
	"meaning/alert-certificate-required":            "它要求客户端出示证书，而证书没有来",
	"meaning/alert-no-application-protocol":         "对方提供的应用协议它都不支持",
	"meaning/alert-record-overflow":                 "有一条记录太长",
	"meaning/alert-no-certificate":                  "它没有自己的证书可以出示",
	"meaning/alert-general-error":                   "出了差错，而没有别的警报适用于它",
	"meaning/alert-ech-required":                    "它要求接受它的加密 ClientHello（ECH），而服务器没有接受",
	"meaning/alert-other":                           "这是一个警报，它的含义这里不作说明",
}

// zhAlerts are the sentences about them.
var zhAlerts = func() map[string]string {
	m := make(map[string]string, len(meaningSentences))
	for _, e := range meaningSentences {
		m[e.id] = "{sender}发送了 {alert}（{number}），意思是：" + zhMeanings["meaning/"+e.id] + "。"
	}
	return m
}()
