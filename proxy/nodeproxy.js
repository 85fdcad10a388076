// Loaded into Node.js by NODE_OPTIONS=--require, so that versions which do not
// read the proxy variables by themselves go through the proxy too.
'use strict';
if (!process.allowedNodeEnvironmentFlags.has('--use-env-proxy') && process.env.HTTPS_PROXY) {
  const net = require('net');
  const tls = require('tls');
  const http = require('http');
  const https = require('https');
  const proxy = new URL(process.env.HTTPS_PROXY);
  // The way to the proxy itself, which the agents below must not take again.
  const direct = new http.Agent({ keepAlive: false });
  direct.createConnection = (options) => net.connect(options);

  // tunnel asks the proxy for a connection to host:port and hands over the socket.
  const tunnel = (host, port, done) => {
    const target = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
    const request = http.request({
      host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: target,
      headers: { Host: target }, agent: direct,
    });
    request.once('connect', (reply, socket, head) => {
      if (reply.statusCode !== 200) {
        socket.destroy();
        done(new Error(`proxy: CONNECT ${target}: ${reply.statusCode}`));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      done(null, socket);
    });
    request.once('error', done);
    request.end();
  };
  const secure = (options, done) => {
    const name = options.servername || options.host || options.hostname;
    tunnel(options.host || options.hostname, options.port || 443, (err, socket) => {
      if (err) { done(err); return; }
      const session = tls.connect({ ...options, socket, servername: net.isIP(name) ? '' : name });
      const failed = (e) => done(e);
      session.once('error', failed);
      session.once('secureConnect', () => { session.removeListener('error', failed); done(null, session); });
    });
  };

  https.Agent.prototype.createConnection = function (options, done) { secure(options, done); };
  const plain = http.Agent.prototype.createConnection;
  http.Agent.prototype.createConnection = function (options, done) {
    if (options.socketPath) return plain.call(this, options, done);
    tunnel(options.host || options.hostname || 'localhost', options.port || 80, done);
  };

  // fetch: its dispatcher is kept under a well-known symbol once it is loaded.
  void globalThis.Response;
  const key = Symbol.for('undici.globalDispatcher.1');
  const dispatcher = globalThis[key];
  if (dispatcher) {
    globalThis[key] = new dispatcher.constructor({
      connect: (options, done) => {
        const port = options.port || (options.protocol === 'https:' ? 443 : 80);
        if (options.protocol !== 'https:') { tunnel(options.hostname, port, done); return; }
        secure({ ...options, host: options.hostname, port, ALPNProtocols: ['http/1.1'] }, done);
      },
    });
  }
}
