package words

// zhHelp is the help of the commands. What stands in backquotes, the values of options and
// the examples are the same in each language.
var zhHelp = map[string]string{
	"word/name":        "名称：",
	"word/usage":       "用法：",
	"word/description": "说明：",
	"word/commands":    "命令：",
	"group/change":     "改动选项",
	"group/own":        "选项：",
	"group/choose":     "选择的选项：",
	"group/listen":     "监听的选项：",
	"group/origins":    "源站的选项：",
	"group/record":     "录制和密钥的选项：",
	"group/story":      "讲述的选项：",
	"group/general":    "通用选项：",
	"word/default":     "（默认：{value}）",
	"flag/help":        "显示帮助",
	"flag/version":     "显示版本",

	"usage/explainer": "对照教科书的八个步骤，解释真实的 HTTPS 流量",
	"help/explainer": `一个自带证书颁发机构（CA）的本地代理。让浏览器或程序使用它：它会录下客户端侧
和源站侧的 TLS 握手，逐条消息说明：它属于八个步骤中的哪一步，是否与书上一致，
以及从录下的字节能证明什么。

从这里开始，什么都不需要准备：

   explainer demo`,
	"usage/help": "列出所有命令，或显示某个命令的帮助",

	"usage/demo": "几秒钟看完全部，不需要网络：代理、内置站点、客户端和讲述",
	"help/demo": `不需要网络、浏览器、root 权限或任何配置：代理、内置站点和客户端都在这里，使
用这台机器的真实套接字。共三幕：一个经 TLS 1.3 的网页，大多数人见到的就是这样；
一个用书上的 RSA 密钥传输、经 TLS 1.2 的网页；以及检查证书是为了什么，由一个做
检查的客户端和一个不做检查的客户端来演示。--all 还加上使用 ECDHE 的 TLS 1.2。--ech
则只有一幕：一个加密的 ClientHello，路径上看到的与服务器得到的；--http3 是另一幕：
一个网页和它的图片，经由 HTTP/3。录制文件留在 demo.pcapng 中。

示例：

   explainer demo
   explainer demo -vv | less
   explainer read demo.pcapng`,

	"usage/proxy": "运行代理，直到按下 Ctrl-C，并解释经过的流量",
	"help/proxy": `让浏览器或程序使用这个代理。它们必须信任代理的 CA：经过代理打开
http://explainer.test/，那里说明怎样做，并可以测试。browse 和 run 会自己完成
这两件事。按 Ctrl-C 后，已有的连接最多还有三秒可以结束；再按一次则立即结束。

示例：

   explainer proxy
   explainer proxy -p 0 -w session.pcapng
   explainer proxy --passthrough '*.bank.example' --format json`,

	"usage/browse": "打开一个已经信任代理的浏览器，使用临时的配置目录",
	"help/browse": `启动代理，并用一个新的、空的、信任 CA 的配置目录启动 Chromium 或 Firefox。这
台机器上的其他东西都不改动；浏览器关闭后，配置目录会被删除。不给出 URL 时打开
内置的网页 https://explainer.test/，它显示自己那个连接的八个步骤。

加上 --http3，浏览器就经由 HTTP/3 访问 h3.explainer.test 和 URL 中的主机。QUIC 不能
经过浏览器可以设置的任何代理，所以把浏览器引到 explainer 的一个 UDP 端口，由它向
源站另开自己的 QUIC。不回答 QUIC 的主机与其他主机一样，经由 TCP、通过代理访问。

示例：

   explainer browse
   explainer browse --browser firefox https://tls13.explainer.test/
   explainer browse --textbook https://rsa.explainer.test/
   explainer browse --http3
   explainer browse --headless https://tls13.explainer.test/ -- --dump-dom`,

	"usage/run": "让一条命令经过代理运行",
	"help/run": `启动代理，只为这一条命令设置所有与代理和 CA 有关的环境变量，并以它的退出码退
出。对于不读这些变量的程序，它的参数中的 {proxy} 代表代理的 host:port，{ca}
代表它可以信任的证书文件，其中第一张是代理的 CA。标准输出属于这条命令；讲述写
到标准错误，或 --story 指定的文件。

被重新设置的变量（SSL_CERT_FILE、REQUESTS_CA_BUNDLE 等）原来指定的证书也仍然
受信任；HTTPS_PROXY、HTTP_PROXY、ALL_PROXY 和 NO_PROXY 决定怎样到达源站。使用
--passthrough '*' 时，命令自己的信任设置保持不变。

使用 --observe 时也是如此，而且什么都不拦截：没有 CA，也没有我们的证书。命令
会被要求记录它的密钥（SSLKEYLOGFILE；Node.js 则用 NODE_OPTIONS），用这些密钥
就能解密经过的内容：curl、wget、git、Python 和 Node.js 会记录；Go、Ruby 和
Perl 不会。

示例：

   explainer run -- curl https://tls13.explainer.test/
   explainer run --story story.txt -w session.pcapng -- git ls-remote https://example.org/repo.git
   explainer run -- openssl s_client -proxy {proxy} -CAfile {ca} -connect tls12.explainer.test:443
   explainer run --observe -w session.pcapng -- python3 app.py
   explainer run --textbook -- curl https://rsa.explainer.test/`,

	"usage/read": "讲述抓包文件",
	"help/read": `读取用 -w 录下的文件，以及别处抓取的 pcap 或 pcapng 文件（可以是 gzip 压缩
的），并讲述其中发生了什么。"-" 是标准输入。录制文件自带密钥；其他抓包请给出
客户端写下的密钥日志（SSLKEYLOGFILE）。服务器的私钥只能解密使用 RSA 密钥传输
的 TLS 1.2 和更早的版本。--as eavesdropper 讲述路径上没有密钥的人能看到什么。
按 Ctrl-C 立即结束；到那时为止写出的 JSON 以完整的一行结尾。

客户端的每一种连接有一个块，其中八个步骤按书上的次序排列；与另一个连接做法相
同的连接只占一行，每个连接的几个请求也各占一行；一次失败占三行。-v 先说明这份抓
包总共有什么，然后讲述每个连接（录制文件则是每个会话，含客户端侧和源站侧）的消
息，每条一行，以及每个步骤的一句话；-vv 讲述每条消息（没有解密的放在最后），连同字段、
说明和证明；--bytes 还显示它的字节。--overview 只说明这份抓包总共有什么；--rows 给表格用：
每个连接一行，不含秘密和内容。--step、--secrets 和 --as 与 -v 一样详细。

示例：

   explainer read session.pcapng
   explainer read --overview *.pcap
   explainer read --keylog keys.txt --host "*.example.org" --only-failed capture.pcap
   explainer read -vv --connection 3-7 capture.pcap
   explainer read --format har session.pcapng > session.har
   explainer read --rows --format csv capture.pcap > rows.csv
   explainer read --rows --jobs 4 archive/*.pcap > rows.ndjson
   explainer read --format qlog session.pcapng > session.qlog
   explainer read -w for-wireshark.pcapng --keylog keys.txt capture.pcap`,

	"usage/rows": "合并许多抓包的行",
	"help/rows": `行是 "explainer read --rows" 写出的，供表格使用：每个连接、每张证书或每个发现一行。

示例：

   explainer rows merge monday.ndjson tuesday.ndjson > both.ndjson`,
	"usage/rows-merge": "把几份抓包的行合成一张表",
	"help/rows-merge": `读取 read --rows 以 JSON 写出的同一种表，写出一张按时间排列的表。"-" 是标准输入。
出现两次的行只写一次。一个连接如果在一份抓包结束、下一份开始的地方被切断，它的
各部分合成一行，并指明哪些内容从这些部分看不出来。文件以什么次序给出、之前怎样
合并过，结果都一样。

示例：

   explainer rows merge monday.ndjson tuesday.ndjson > both.ndjson`,
	"default/read/jobs":      "所有文件作为一份抓包读取",
	"flag/read/jobs":         "与 --rows 一起：逐个读取文件，每个用自己的进程，同时进行 `N` 个",
	"flag/read/resume":       "与 --jobs 一起：把已读完的文件的行存放在 `DIR` 中，不再读取这些文件",
	"flag/rows-merge/format": "表的形式：`json|csv`",

	"usage/check": "逐一向客户端出示有缺陷的证书，看它接受哪些",
	"help/check": `对每个用例和每个 TLS 版本运行一次命令：先是没有任何问题的对照用例，再是各有一
个缺陷的证书和握手。命令怎样对待每个用例，是从录下的字节读出来的：发出了数据
的客户端就是接受了，不管它自己怎么说。与 "explainer run" 一样，命令会得到所有
与代理和 CA 有关的环境变量；其中的 CA 只为这次检测而生成。命令的参数中可以使
用：

   {url} {host}   被测试的地址：https://www.bank.test/
   {proxy}        代理的 host:port，给不读环境变量的程序
   {addr} {port}  一开始就是 TLS 的 host:port，给不会用代理的程序
   {ca}           CA 的文件，PEM 格式

没有 {url}、{host}、{addr} 或 {port} 时，拦截命令自己要访问的 URL。命令的标准
输入是一个 HTTP 请求，给那些原样发送输入的程序。

使用 --host 时不运行命令：让应用使用这个代理；每个到匹配主机的新连接会遇到下
一个用例，全部遇到之后，连接原样通过。按 Ctrl-C 结束，并说明看到了什么。应用
必须信任 "explainer ca" 的 CA，或者使用 --trust none。

评级：F、D 或 C 取决于泄露的用例中最坏的一个（严重、高危、中危），没有泄露则
是 A；连对照用例也被拒绝，或者有本可以运行的严重或高危用例没有运行，则是
"-"。退出码：D 和 F 为 3，"-" 为 1。客户端自己的 hello 已经排除的用例不会降低
评级；本身还不构成攻击的，只作为提示。

示例：

   explainer check -- curl -sS {url}
   explainer check -- openssl s_client -quiet -CAfile {ca} -servername {host} -connect {addr}
   explainer check --severity critical,high --format junit -- ./my-client > report.xml
   explainer check -w check.pcapng -- python3 client.py
   explainer check --from check.pcapng
   explainer check --host 'api.*.example' -p 8080`,

	"usage/grade": "为拦截代理评级：它对用户的安全有什么影响",
	"help/grade": `经过这台机器上的一个代理，向本机回环地址上各有一个缺陷的源站发出请求，并查看
两端各看到什么。不给出选项时，评的是本程序自己的代理，所用的 CA 为此临时生
成。评级从 A* 到 F；低于 A 时退出码为 3。

其他代理必须像信任公共 CA 一样信任测试环境的 CA，大多数项目才能测试：第一次运
行之后，这个 CA 在 DIR/ca.pem 中。它可以为任何网站担保，所以之后要让代理不再
信任它。

示例：

   explainer grade
   explainer grade --proxy http://127.0.0.1:8080 --ca proxy-ca.pem --lab lab
   explainer grade --format json`,

	"usage/ca": "显示、导出、安装、移除或更新证书颁发机构（CA）",
	"help/ca": `"explainer proxy" 的 CA 在第一次使用时生成。它的私钥留在它的文件夹中，只有您
能读取：谁拿到它，谁就能对所有信任这个 CA 的程序冒充任何网站。run、browse 和
check 各自生成临时的 CA，用完即弃，除非 --home 或 EXPLAINER_HOME 指定了文件
夹。

示例：

   explainer ca show
   explainer ca export --out explainer-ca.pem
   explainer ca export --as p12 --out explainer-ca.p12
   explainer ca install --browser --dry-run
   explainer ca uninstall`,
	"usage/ca-install": "让这台机器、您的浏览器或 Java 信任这个 CA",
	"help/ca-install": `运行系统自己的命令，并显示每一条。只有 "explainer proxy" 需要它：run、browse 和
check 会告诉它们的程序信任谁。之后谁拿到这个 CA 的私钥，谁就能对这些程序冒充任何网站：用完后请移除。

示例：

   explainer ca install --browser --dry-run
   explainer ca install --browser`,
	"usage/ca-uninstall": "让这台机器上的一切不再信任这个 CA",
	"help/ca-uninstall": `从所指定的信任库中移除这个 CA；不指定时，从含有它的所有信任库中移除。

示例：

   explainer ca uninstall --dry-run
   explainer ca uninstall`,
	"usage/ca-renew": "用新的私钥生成一个新的 CA，代替旧的",
	"help/ca-renew": `用于 CA 已过期，或者别人可能见过它的私钥时。信任旧 CA 的程序必须改为信任新的。只要
这台机器的某个信任库中还有旧的，就会拒绝更新，因为之后再也无法把它移除。

示例：

   explainer ca uninstall && explainer ca renew`,
	"usage/ca-show":   "这个 CA 是什么、在哪里，以及它的指纹",
	"help/ca-show":    "示例：\n\n   explainer ca show",
	"usage/ca-export": "写出 CA 的证书（从不写出它的私钥）",
	"help/ca-export":  "示例：\n\n   explainer ca export --out explainer-ca.pem",

	"usage/completion": "输出 shell 补全命令、选项及其值所用的脚本",
	"help/completion": `shell 在启动时读取它。之后给出的候选来自本程序自己。

示例：

   source <(explainer completion bash)
   explainer completion bash > ~/.local/share/bash-completion/completions/explainer
   explainer completion zsh > "${fpath[1]}/_explainer"
   explainer completion fish > ~/.config/fish/completions/explainer.fish`,
	"usage/man": "输出手册页，由所有命令的帮助组成",
	"help/man": `示例：

   explainer man | man -l -
   explainer man > ~/.local/share/man/man1/explainer.1`,

	"usage/exam": "关于一份录制文件的试题、正确答案和评分",
	"help/exam": `生成一张可以打印或寄出的页面（HTML，不依赖别的文件），内容是关于一份真实录制文件的
问题：demo 的一份，或者 FILE。正确与否由其中的字节决定；正确答案和理由只写在 --key-file
的文件里。同样的种子、录制文件和程序版本生成同样的问题。

例子：

   explainer exam --seed 7 --key-file key.txt > sheet.html
   explainer exam --seed 7 --key-file key.txt session.pcapng > sheet.html
   explainer exam mark key.txt answers.txt`,
	"usage/exam-mark": "把作答与正确答案比较",
	"help/exam-mark": `两个文件都是每行一个问题：题号，然后是答案的字母，或者顺序题的全部字母，例如
「3 B」或「1 CADB」。# 之后的内容不读。每答对一题得一分。「-」是标准输入。

例子：

   explainer exam mark key.txt answers.txt`,
	"usage/steps": "八个步骤，与 TLS 1.2 和 TLS 1.3 的实际做法对照",
	"help/steps": `逐步列出书上所讲的 HTTPS，并在每一步旁边列出 TLS 1.2 用 RSA（书上的做法）、
TLS 1.2 用 ECDHE 以及 TLS 1.3 中实际发生的事。

示例：

   explainer steps | less`,

	"flag/lang":         "文字的语言：`en|zh`",
	"default/lang":      "由 LC_ALL、LC_MESSAGES 或 LANG 决定",
	"flag/format":       "输出的形式：`text|json|commands`，json 为每行一个对象，commands 为重新计算证明的命令；read 还有 har 和 qlog，其 --rows 还有 csv",
	"flag/verbose":      "讲述每个连接的消息，每条一行，以及每个步骤的一句话",
	"flag/messages":     "逐条消息讲述，连同它的字段、说明和证明；也列出 HTTP/2 的流量控制",
	"flag/ascii":        "简短的讲述里不用 ASCII 以外的符号",
	"flag/all":          "浏览器自己的后台通信也逐条列出",
	"flag/show-secrets": "不遮盖密码、Cookie、令牌和密钥",
	"flag/color":        "是否使用颜色：`auto|always|never`",
	"flag/home":         "存放 CA 的文件夹 `DIR`（默认：用户配置文件夹中的 explainer；run 和 browse 各自生成临时的 CA）",
	"flag/force":        "与 -w 一起用：文件即使不是 explainer 的录制文件，也覆盖它",
	"flag/write":        "把录制内容保存到 `FILE`（pcapng，密钥在其中）",
	"flag/allow":        "与 --listen-host 一起用：`CIDR` 中的地址不需要口令就能使用代理（可重复）",
	"flag/textbook":     "客户端侧使用书上所讲的、用 RSA 密钥传输的 TLS 1.2",
	"flag/listen-port":  "监听的端口 `PORT`；0 表示选一个空闲的，run 和 browse 自己就这样做",
	"flag/listen-host":  "监听的地址 `ADDRESS`；其他机器也能到达时，它们需要所显示的口令",

	"flag/web":               "`ADDR|off`：也在浏览器里显示讲述，页面只供这台机器使用",
	"default/web":            "proxy 和 browse 为 127.0.0.1:8081，其余为 off",
	"flag/web-keep":          "页面最多保留 `SIZE` 的细节，存放在临时文件中；最早的先删除",
	"flag/html":              "把讲述写成一个网页 `FILE`，不用网络就能打开",
	"flag/spool":             "不用 -w 时：等待讲述的内容最多占用 `SIZE` 的磁盘，存放在 TMPDIR 所指之处没有名称的文件中，那里若是内存则在 /var/tmp 中；超出之后从最新的内容继续讲述",
	"flag/keylog":            "把客户端侧和源站侧的密钥也追加到 `FILE`",
	"flag/passthrough":       "只录制 `HOST` 而不解密；* 匹配任意部分（可重复）",
	"flag/map":               "改为连接另一个地址：`HOST[:PORT]=ADDR:PORT`；HOST 中的 * 匹配任意部分（可重复）",
	"flag/origin-ca":         "对源站也信任 `FILE` 中的根证书（PEM，可重复）",
	"flag/client-cert":       "向源站出示的证书和私钥（PEM）：`HOST=FILE`（可重复）",
	"flag/on-bad-origin":     "`mirror|block`：源站的证书有问题时，让客户端看到同样有问题的证书，或看到一个解释问题的网页",
	"flag/on-unsupported":    "`page|tunnel`：源站接受客户端自己的 ClientHello、却不接受代理的时，用一个网页应答，或不解密而原样通过",
	"flag/on-local-request":  "`tell|refuse`：互联网上的网页请求这台机器或其私有网络中的服务时，只说明此事，或拒绝它",
	"flag/upstream-proxy":    "经过 `URL` 处的代理（http 或 socks5）到达源站；none 表示直接连接",
	"default/upstream-proxy": "由 HTTPS_PROXY、HTTP_PROXY、ALL_PROXY 和 NO_PROXY 决定",
	"flag/story":             "把讲述写到 `FILE`",
	"default/story":          "标准输出；run 则为标准错误",
	"flag/rotate":            "与 -w FILE 一起用：文件达到 `SIZE` 字节（K、M、G）后改写下一个文件：FILE-00001.pcapng、FILE-00002.pcapng……；每个都可以单独读取，read 也可以一起读取全部",
	"flag/keep":              "与 --rotate 一起用：保留最新的 `N` 个文件，删除更早的",
	"default/keep":           "全部",

	"flag/demo/write":    "把录制内容保存到 `FILE`",
	"flag/demo/all":      "也演示使用 ECDHE 的 TLS 1.2",
	"flag/demo/ech":      "代替三幕：一个加密的 ClientHello（ECH），路径上看到的与服务器得到的并排展示",
	"flag/demo/http3":    "代替三幕：一个网页和它的图片，经由 HTTP/3，也就是经由 QUIC 和 UDP",
	"flag/demo/textbook": "客户端侧对每个网站都使用书上所讲的、用 RSA 密钥传输的 TLS 1.2",

	"flag/browse/browser":    "`chromium|firefox|PATH`（默认：已安装的第一个）",
	"flag/browse/http3":      "URL 中的主机经由 HTTP/3（如果它回答 QUIC）；URL 的默认值则是 https://h3.explainer.test/",
	"flag/browse/http3-host": "这个主机也经由 HTTP/3：`HOST[:PORT]`（可重复）",
	"flag/browse/headless":   "不显示窗口",
	"flag/run/observe":       "命令自己的信任设置保持不变，所有内容原样通过，用命令自己写下的密钥来解密",

	"flag/read/keylog":      "`FILE` 中有 TLS 密钥，即浏览器按 SSLKEYLOGFILE 写下的那种（可重复）",
	"flag/read/key":         "`FILE` 中有服务器的 RSA 私钥（PEM、DER 或 PKCS#12），它能解密使用 RSA 密钥传输的 TLS 1.2 和更早的版本（可重复）；密码会当场询问，或取自 EXPLAINER_KEY_PASSWORD",
	"flag/read/write":       "不讲述，而是把抓包复制到 `FILE`（pcapng），以数据包注释带上讲述，以及 --keylog 中属于它的密钥",
	"flag/read/strip-keys":  "与 -w 一起用：副本中不含任何密钥",
	"flag/read/redact":      "与 -w 一起用：在副本中改写人们发送的内容（正文、Cookie、密码、查询字符串等），使它可以连同密钥一起分享",
	"flag/read/connection":  "只讲述第 `N` 个连接，或 3-7 这样一段（可重复）",
	"flag/read/host":        "只讲述到 `HOST` 的连接；* 匹配任意部分（可重复）",
	"flag/read/step":        "只讲述步骤 `N`：1 到 8，或 4a 这样的一部分（可重复）",
	"flag/read/verdict":     "只讲述有某个步骤是这样进行的连接：`as-told|differently|unseen|inherited|absent|failed|not-reached|unknown`；与 --step 一起用时指那个步骤",
	"flag/read/only-failed": "只讲述失败了的连接，或其中有内容被证伪的连接",
	"flag/read/overview":    "只说明这份抓包总共有什么",
	"flag/read/rows":        "每个连接一行，写成 JSON，或用 --format csv 写成 CSV；--rows=certificates：每张证书一行，--rows=findings：每个值得注意之处一行",
	"flag/read/as":          "讲述窃听者（`eavesdropper`）看到什么：没有密钥，也没有代理的记录；并说明每一步有什么看不到、为什么",
	"flag/read/secrets":     "用真实的值画出每个连接的密钥派生过程：这会把能解密它的密钥显示出来",
	"flag/read/bytes":       "与 --messages 相同，并在每条握手消息下面逐个字段显示它的字节",
	"flag/read/roots":       "用 `FILE`（PEM）中的根证书检查证书，代替这台机器的信任库",
	"flag/read/flip":        "在一个连接的副本里改动一个字节，`PACKET:OFFSET=XX`（XX 为十六进制），并讲述哪些证明因此不成立、按协议规定哪项检查会发现",
	"flag/read/inside":      "与 --flip 一起：改动加密的内容，OFFSET 在其中计数，再用录下的密钥重新封装",
	"flag/read/without":     "同上，但改为去掉标签为 `LABEL` 的密钥日志行；PRIVATE_KEY 指 --key 的私钥",
	"flag/read/chain-of":    "同上，但改为换上连接 `N` 的服务器的证书",
	"flag/read/decode-as":   "在自己的端口上的 UDP 隧道，`PORT=TUNNEL`（可重复）：eth、geneve、gre、gtp、gue、ip、l2tp、mpls、teredo、tzsp、vxlan、vxlan-gpe",

	"flag/check/host":           "不运行命令：应用到匹配 `GLOB` 的主机的连接会遇到各个用例",
	"flag/check/from":           "重新判断先前一次检测的录制文件：`FILE`",
	"flag/check/only":           "只运行这些用例：`ID,...`；它们需要的对照用例会一起运行",
	"flag/check/severity":       "只运行这些等级的用例：`LEVEL,...`，可选 critical、high、medium、low",
	"flag/check/trust":          "`root|none`：none 让客户端信任另一个 CA，看它究竟是否检查",
	"flag/check/tls":            "TLS 版本：`1.2|1.3|both`",
	"flag/check/tries":          "每个用例运行 `N` 次；以最坏的一次为准",
	"flag/check/timeout":        "超过 `TIME` 就终止这次运行，连同它启动的所有程序",
	"flag/check/allow-untested": "即使有 `N` 项本可以运行的严重或高危测试没有运行，也给出评级",
	"flag/check/all":            "列出所有用例，而不只是泄露的",
	"flag/check/jobs":           "同时运行 `N` 个",
	"default/check/jobs":        "每个处理器一个，至少两个",
	"flag/check/format":         "报告的形式：`text|json|junit`",
	"flag/check/show-secrets":   "不遮盖客户端泄露的内容",
	"flag/check/listen-port":    "与 --host 一起用：监听的端口 `PORT`；0 表示选一个空闲的",
	"flag/check/listen-host":    "与 --host 一起用：监听的地址 `ADDRESS`",

	"flag/grade/proxy":    "要评级的代理的 `URL`，在这台机器上",
	"default/grade/proxy": "本程序自己的代理",
	"flag/grade/ca":       "`FILE` 中是这个代理的客户端所信任的 CA（PEM）",
	"flag/grade/lab":      "存放测试源站的 CA 的文件夹 `DIR`，供代理信任",
	"flag/grade/format":   "报告的形式：`text|json`",

	"flag/system":        "这台机器自己的信任库，对它的所有用户和大多数程序有效；不是 root 时使用 sudo",
	"flag/browser":       "您的 Firefox 配置，在 Linux 上还有 Chromium",
	"flag/java":          "JAVA_HOME 所指的 Java 的信任库，否则是 PATH 上的",
	"flag/dry-run":       "只显示命令，不运行",
	"flag/ca-export/as":  "文件的形式：`pem|der|p12`，p12 是 Java 的信任库，密码为 changeit",
	"flag/ca-export/out": "要写的文件 `FILE`（默认：标准输出）",

	"flag/exam/seed":      "同样的 `N` 生成同样的问题",
	"flag/exam/questions": "最多 `N` 个问题",
	"flag/exam/key":       "`FILE` 中有服务器的 RSA 私钥（PEM、DER 或 PKCS#12），它能解密使用 RSA 密钥传输的 TLS 1.2 和更早的版本（可重复）；密码会当场询问，或取自 EXPLAINER_KEY_PASSWORD",
	"flag/exam/key-file":  "把正确答案和理由写到 `FILE`",
	"flag/steps/format":   "表格的形式：`text|json`",
}
