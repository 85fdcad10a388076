// Asks for a page with each library in its own way, those that know proxies by
// themselves among them. Prints a line for each: its name, and what it was
// answered or how it failed.
'use strict';
const https = require('https');
const http = require('http');
const http2 = require('http2');
const tls = require('tls');
const grpc = require('@grpc/grpc-js');
const tunnel = require('tunnel');
const tunnelAgent = require('tunnel-agent');
const hpagent = require('hpagent');
const axios = require('axios');
const undici = require('undici');
const got = require('got');
const nodeFetch = require('node-fetch');
const superagent = require('superagent');
const { HttpsProxyAgent } = require('https-proxy-agent');
const WebSocket = require('ws');

const host = 'origin.test';
const [proxyHost, proxyPort] = process.argv[2].split(':');
const proxyURL = `http://${process.argv[2]}`;
const body = (request) => new Promise((done, failed) => {
  request.on('error', failed).on('response', (r) => {
    let text = '';
    r.on('data', (d) => { text += d; }).on('end', () => done(text)).on('error', failed);
  });
  request.end();
});
const socketSays = (url, options) => new Promise((done, failed) => {
  const s = new WebSocket(url, options);
  s.on('error', failed).on('message', (m) => { done(String(m)); s.close(); });
});
const call = (target, credentials, many) => new Promise((done, failed) => {
  const bytes = (b) => b;
  const client = new grpc.Client(target, credentials);
  const finish = (err, text) => { client.close(); if (err) failed(err); else done(text); };
  if (!many) {
    client.makeUnaryRequest('/grpc/One', bytes, bytes, Buffer.alloc(0), (err, b) => finish(err, String(b)));
    return;
  }
  let text = '';
  client.makeServerStreamRequest('/grpc/Many', bytes, bytes, Buffer.alloc(0))
    .on('data', (b) => { text += b; }).on('error', finish).on('end', () => finish(null, text));
});

const programs = {
  'https': (u) => body(https.get(u)),
  'https-agent': (u) => body(https.get(u, { agent: new https.Agent({ keepAlive: true }) })),
  'https-no-agent': (u) => body(https.get(u, { agent: false })),
  'fetch': async (u) => (await fetch(u)).text(),
  'axios': async (u) => (await axios.get(u)).data,
  'axios-proxy': async (u) => (await axios.get(u, { proxy: { protocol: 'http', host: proxyHost, port: Number(proxyPort) } })).data,
  'got': async (u) => (await got(u)).body,
  'got-http2': async (u) => (await got(u, { http2: true })).body,
  'node-fetch': async (u) => (await nodeFetch(u)).text(),
  'superagent': async (u) => (await superagent.get(u).buffer(true).parse(superagent.parse.text)).text,
  'undici': async (u) => (await undici.request(u)).body.text(),
  'undici-agent': async (u) => (await undici.request(u, { dispatcher: new undici.Agent({ allowH2: true }) })).body.text(),
  'undici-proxy': async (u) => (await undici.request(u, { dispatcher: new undici.ProxyAgent(proxyURL) })).body.text(),
  'https-proxy-agent': (u) => body(https.get(u, { agent: new HttpsProxyAgent(proxyURL) })),
  'tunnel': (u) => body(https.get(u, { agent: tunnel.httpsOverHttp({ proxy: { host: proxyHost, port: Number(proxyPort) } }) })),
  'tunnel-agent': (u) => body(https.get(u, { agent: tunnelAgent.httpsOverHttp({ proxy: { host: proxyHost, port: Number(proxyPort) } }) })),
  'hpagent': (u) => body(https.get(u, { agent: new hpagent.HttpsProxyAgent({ proxy: proxyURL, keepAlive: true }) })),
  'ws': (u) => socketSays(u.replace('https:', 'wss:')),
  'ws-proxy': (u) => socketSays(u.replace('https:', 'wss:'), { agent: new HttpsProxyAgent(proxyURL) }),
  'http2': (u) => new Promise((done, failed) => {
    const c = http2.connect(u);
    let text = '';
    c.on('error', failed);
    c.request({ ':path': new URL(u).pathname }).on('error', failed).on('data', (d) => { text += d; }).on('end', () => { c.close(); done(text); }).end();
  }),
  'tls': (u) => new Promise((done, failed) => {
    let text = '';
    tls.connect(443, host, { ALPNProtocols: ['http/1.1'] }, function () { this.write(`GET ${new URL(u).pathname} HTTP/1.0\r\nHost: ${host}\r\n\r\n`); })
      .on('error', failed).on('data', (d) => { text += d; }).on('end', () => done(text.split('\r\n\r\n')[1]));
  }),
  'grpc/One': () => call('grpc.test:443', grpc.credentials.createSsl(), false),
  'grpc/Many': () => call('grpc.test:443', grpc.credentials.createSsl(), true),
  'grpc-clear/One': () => call('grpc.test:80', grpc.credentials.createInsecure(), false),
  'grpc-clear/Many': () => call('grpc.test:80', grpc.credentials.createInsecure(), true),
  'http': () => body(http.get(`http://${host}/http`)),
  'http-fetch': async () => (await fetch(`http://${host}/http-fetch`)).text(),
  'http-axios-proxy': async () => (await axios.get(`http://${host}/http-axios-proxy`, { proxy: { protocol: 'http', host: proxyHost, port: Number(proxyPort) } })).data,
  'http-tunnel': () => body(http.get(`http://${host}/http-tunnel`, { agent: tunnel.httpOverHttp({ proxy: { host: proxyHost, port: Number(proxyPort) } }) })),
  // What fails must say so to the program, and not end it.
  'refused-https': (u) => body(https.get('https://nothing.test/')).catch((e) => `failed: ${e.message}`),
  'refused-tls': () => new Promise((done) => tls.connect({ host: 'nothing.test', port: 443 }, () => done('connected')).on('error', (e) => done(`failed: ${e.message}`))),
  'refused-ws': () => socketSays('wss://nothing.test/').catch((e) => `failed: ${e.message}`),
};

process.on('uncaughtException', (e) => console.log(`uncaught ${e.stack}`));
(async () => {
  for (const [name, run] of Object.entries(programs)) {
    const text = await Promise.race([
      run(`https://${host}/${name}`).catch((e) => `failed: ${e.message}`),
      new Promise((done) => { setTimeout(done, 10000, 'no answer').unref(); }),
    ]);
    console.log(`${name} ${text}`);
  }
})();
