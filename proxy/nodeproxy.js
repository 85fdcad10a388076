// Loaded into Node.js by NODE_OPTIONS=--require, so that programs go through the
// proxy: versions that do not read its variables by themselves, and libraries
// that open TLS past the agents. Whoever brings a socket, or speaks with the
// proxy already, is left alone.
'use strict';
if (process.env.HTTPS_PROXY) {
  const net = require('net');
  const tls = require('tls');
  const http = require('http');
  const https = require('https');
  const { Duplex } = require('stream');
  const proxy = new URL(process.env.HTTPS_PROXY);
  const isProxy = (options) => (options.host || options.hostname) === proxy.hostname && Number(options.port) === Number(proxy.port || 80);
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

  // A Tunnel is a connection to host:port that is there at once, and waits for the proxy when it is used.
  class Tunnel extends Duplex {
    constructor(host, port) {
      super();
      this.unreferenced = false;
      tunnel(host, port, (err, socket) => {
        if (err || this.destroyed) {
          if (socket) socket.destroy();
          this.destroy(err);
          return;
        }
        this.socket = socket;
        socket.on('data', (data) => { if (!this.push(data)) socket.pause(); });
        socket.on('end', () => this.push(null));
        socket.on('error', (e) => this.destroy(e));
        socket.on('close', () => this.destroy());
        if (this.unreferenced) socket.unref();
        this.emit('tunnel');
      });
    }

    ready(call) { if (this.socket) call(); else this.once('tunnel', call); }
    _read() { if (this.socket) this.socket.resume(); }
    _write(data, encoding, done) { this.ready(() => this.socket.write(data, encoding, done)); }
    _final(done) { this.ready(() => this.socket.end(done)); }
    _destroy(err, done) { if (this.socket) this.socket.destroy(); done(err); }
    ref() { this.unreferenced = false; if (this.socket) this.socket.ref(); }
    unref() { this.unreferenced = true; if (this.socket) this.socket.unref(); }
  }

  // tls.connect, which ws, http2 and others call. Those that bring a list of
  // authorities of their own would not trust the proxy's.
  const connect = tls.connect;
  tls.connect = function (...args) {
    const [first, second] = args;
    const options = typeof first === 'object' ? { ...first } : { port: first };
    if (typeof second === 'string') options.host = second;
    for (const a of args.slice(1)) if (a !== null && typeof a === 'object') Object.assign(options, a);
    const host = options.host || 'localhost';
    const port = Number(options.port);
    if (options.socket || options.path || options.ca || options.secureContext || !(port > 0)) return connect.apply(this, args);
    const through = new Tunnel(host, port);
    if (options.servername === undefined && !net.isIP(host)) options.servername = host;
    const session = connect.call(this, { ...options, socket: through }, args.find((a) => typeof a === 'function'));
    session.ref = () => { through.ref(); return session; };
    session.unref = () => { through.unref(); return session; };
    return session;
  };
  require('module').syncBuiltinESMExports();

  // The agents and fetch know the proxy's variables themselves from Node.js 22.21 and 24.5 on.
  if (!process.allowedNodeEnvironmentFlags.has('--use-env-proxy')) {
    const secure = (options, done) => {
      const name = options.servername || options.host || options.hostname;
      tunnel(options.host || options.hostname, options.port || 443, (err, socket) => {
        if (err) { done(err); return; }
        const session = connect({ ...options, socket, servername: net.isIP(name) ? '' : name });
        const failed = (e) => done(e);
        session.once('error', failed);
        session.once('secureConnect', () => { session.removeListener('error', failed); done(null, session); });
      });
    };

    const encrypted = https.Agent.prototype.createConnection;
    https.Agent.prototype.createConnection = function (options, done) {
      if (options.socket || options.socketPath || !done) return encrypted.apply(this, arguments);
      secure(options, done);
    };
    const plain = http.Agent.prototype.createConnection;
    http.Agent.prototype.createConnection = function (options, done) {
      if (options.socketPath || isProxy(options) || !done) return plain.apply(this, arguments);
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
}
