package words

// zhNames are the names of what events are about, in Simplified Chinese.
var zhNames = map[string]string{
	"topic/file":            "文件",
	"topic/overview":        "概览",
	"topic/tcp-connection":  "TCP 连接",
	"topic/dtls-connection": "DTLS 连接",

	"topic/sealed-records":            "未解密的记录",
	"topic/sealed-record":             "单条未解密的记录",
	"topic/sealed-alert":              "未解密的警报",
	"topic/records-again":             "记录重新可读",
	"topic/application-data":          "应用数据",
	"topic/early-data":                "早期数据",
	"topic/missing-bytes":             "缺失的字节",
	"topic/cut-hello":                 "ClientHello",
	"topic/late-bytes":                "迟到的字节",
	"topic/bytes-not-read":            "未读取的字节",
	"topic/http-behind-missing-bytes": "缺失字节之后的 HTTP",

	"topic/http-request":      "HTTP 请求",
	"topic/request-body":      "请求正文",
	"topic/http-response":     "HTTP 响应",
	"topic/response-body":     "响应正文",
	"topic/protocol-switched": "协议已切换",
	"topic/not-http":          "不是 HTTP 的数据",

	"topic/resumption":      "会话恢复",
	"topic/fin":             "FIN",
	"topic/rst":             "RST",
	"topic/not-followed":    "不再跟踪",
	"topic/eight-steps":     "八个步骤",
	"topic/connection-over": "连接结束",
	"topic/capture-over":    "抓包结束",
	"topic/genealogy":       "连接谱系",
	"topic/comparison":      "对比",

	"topic/recording":               "录制",
	"topic/left-out":                "略去",
	"topic/session":                 "会话",
	"topic/plain-http":              "明文 HTTP",
	"topic/observed":                "旁观",
	"topic/pass-through":            "透传",
	"topic/not-decrypted":           "未解密",
	"topic/origin-not-reached":      "没有连上源站",
	"topic/name-not-found":          "没有找到名称",
	"topic/origin-handshake-failed": "与源站的握手失败",
	"topic/hello-replayed":          "重放了客户端的 ClientHello",
	"topic/origin-verified":         "源站已通过检查",
	"topic/origin-not-verified":     "源站未通过检查",
	"topic/client-went-on":          "客户端继续了",
	"topic/no-name":                 "没有名称",
	"topic/two-names":               "两个名称",
	"topic/certificate-made":        "制作了证书",
	"topic/block-opened":            "解开了加密的数据块",
	"topic/own-answer":              "代理自己应答",
	"topic/handshake-stopped":       "握手中止",
	"topic/case":                    "检测用例",
	"topic/check":                   "检测",
	"topic/who-closed":              "谁关闭了连接",
	"topic/note":                    "备注",
}

// zhNumbers are those names of numbers that are no names of protocols, in Simplified Chinese.
var zhNumbers = map[string]string{
	"number/not-ip/34915": "0x8863 PPPoE 发现阶段",
	"number/not-ip/36864": "0x9000 环回测试",
}
