// A server of everything that programs.js asks for, with the certificate and key
// in the file that is its argument. Prints its ports, and ends with its input.
'use strict';
const fs = require('fs');
const http = require('http');
const http2 = require('http2');
const grpc = require('@grpc/grpc-js');
const { WebSocketServer } = require('ws');
const pem = fs.readFileSync(process.argv[2]);

const answer = (request, response) => response.end(`served ${request.url}`);
const server = http2.createSecureServer({ cert: pem, key: pem, allowHTTP1: true }, answer);
const plain = http.createServer(answer);
for (const s of [server, plain]) new WebSocketServer({ server: s }).on('connection', (c, request) => c.send(`served ${request.url}`));

const bytes = (b) => b;
const method = (path, responseStream) => ({ path, requestStream: false, responseStream, requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes });
const calls = new grpc.Server();
calls.addService({ One: method('/grpc/One', false), Many: method('/grpc/Many', true) }, {
  One: (call, done) => done(null, Buffer.from('served /grpc/One')),
  Many: (call) => { for (const word of ['served', ' ', '/grpc/Many']) call.write(Buffer.from(word)); call.end(); },
});
const credentials = grpc.ServerCredentials.createSsl(null, [{ cert_chain: pem, private_key: pem }]);

const listening = (s) => new Promise((done) => s.listen(0, '127.0.0.1', () => done(s.address().port)));
const bound = (c) => new Promise((done, failed) => calls.bindAsync('127.0.0.1:0', c, (err, port) => (err ? failed(err) : done(port))));
(async () => {
  console.log([await listening(server), await listening(plain), await bound(credentials), await bound(grpc.ServerCredentials.createInsecure())].join(' '));
})();
process.stdin.on('end', () => process.exit()).resume();
