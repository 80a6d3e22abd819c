/*
 * Sends random and mutated requests to a live port, each on a connection of its own, and looks after every few of them whether the port still
 * serves. Prints one line and exits 0, or what was wrong.
 *
 *	node tests/e2e/live-fuzz.js PORT COUNT SEED
 *
 * 1. What comes back begins as an answer does, with a status that the port has. Otherwise bytes of one request would reach another.
 * 2. A right request after them is answered with 200 and the right body.
 */
'use strict';
const net = require('net');
const [port, count, seed] = process.argv.slice(2).map(Number);
const STATUSES = [200, 301, 400, 401, 404, 405, 408, 413, 414, 431, 500, 503, 505];
let state = seed >>> 0;
const random = n => ((state = Math.imul(state, 1664525) + 1013904223 >>> 0) >>> 8) % n;
const pick = list => list[random(list.length)];

const SEEDS = [
	'GET /debug/pprof/ HTTP/1.1\r\nHost: x\r\n\r\n',
	'GET /debug/pprof/cmdline HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n',
	'GET /debug/pprof/goroutine?debug=1 HTTP/1.0\r\n\r\n',
	'GET /debug/pprof/symbol?0x80210000+0x1 HTTP/1.1\r\n\r\n',
	'HEAD /metrics HTTP/1.1\r\nAuthorization: Bearer abc\r\n\r\n',
	'GET /debug/pprof/heap?seconds=1 HTTP/1.1\r\n\r\n',
	'GET /debug/pprof/trace?seconds=0.01 HTTP/1.1\r\n\r\n',
	'GET /debug/pprof/sched?n=3 HTTP/1.1\r\nContent-Length: 0\r\n\r\n',
	'GET /debug/pprof/flame?profile=goroutine HTTP/1.1\r\n\r\n',
	'POST /debug/pprof/symbol HTTP/1.1\r\nContent-Length: 3\r\n\r\n0x1',
];
const BITS = ['\r\n', '\n', '\r', '\0', '%', '%00', '%zz', '?', '&', '=', '+', ' ', '\t', ':', '/', '..', '\xff', 'HTTP/1.1', 'Content-Length: 99999999999999999999', 'seconds=',
	'debug=', '99999999999999999999', '-1', '0x', 'Transfer-Encoding: chunked', 'A'.repeat(300), '%41'.repeat(100), 'a=b&'.repeat(30)];

function bytes() {
	const kind = random(10);
	if (kind === 0) /* noise */
		return Buffer.from(Array.from({ length: random(600) }, () => random(256)));
	if (kind === 1) /* too long */
		return Buffer.from(pick(SEEDS).slice(0, 5 + random(20)) + 'x'.repeat(9000 + random(20000)), 'latin1');
	let text = pick(SEEDS);
	for (let i = random(6); i > 0; i--) {
		const at = random(text.length + 1);
		switch (random(4)) {
		case 0: text = text.slice(0, at) + pick(BITS) + text.slice(at); break;
		case 1: text = text.slice(0, at) + text.slice(at + 1 + random(8)); break;
		case 2: text = text.slice(0, at) + String.fromCharCode(random(256)) + text.slice(at + 1); break;
		default: text = text.slice(0, at); break;
		}
	}
	return Buffer.from(text, 'latin1');
}

/* Resolves to what came back. patience: ms without bytes after which the client goes. */
function talk(data, patience, whole) {
	return new Promise((resolve, reject) => {
		const got = [];
		let size = 0;
		const socket = net.connect(port, '127.0.0.1');
		const done = () => { socket.destroy(); resolve(Buffer.concat(got)); };
		socket.setTimeout(patience, done);
		socket.on('connect', () => {
			const cut = data.length > 1 ? random(data.length) : data.length;
			socket.write(data.subarray(0, cut));
			socket.write(data.subarray(cut));
		});
		socket.on('data', d => {
			got.push(d);
			size += d.length;
			if (whole(Buffer.concat(got)))
				done();
		});
		socket.on('error', e => { if (e.code === 'ECONNRESET' || e.code === 'EPIPE') done(); else reject(e); });
	});
}

const lengthOf = text => +(/\r\nContent-Length: (\d+)\r\n/.exec(text) || [0, 0])[1];
function whole(b) {
	const text = b.toString('latin1'), end = text.indexOf('\r\n\r\n');
	return end >= 0 && b.length >= end + 4 + lengthOf(text.slice(0, end + 4));
}

(async () => {
	let answered = 0;
	const seen = {};
	for (let i = 1; i <= count; i++) {
		const data = bytes(), text = (await talk(data, 100, whole)).toString('latin1');
		const status = /^HTTP\/1\.1 (\d{3}) [A-Z]/.exec(text);
		if (text !== '' && (!status || !STATUSES.includes(+status[1])))
			throw new Error(`request ${i}: ${JSON.stringify(data.toString('latin1').slice(0, 200))} brought ${JSON.stringify(text.slice(0, 80))}`);
		answered += text !== '';
		if (status)
			seen[status[1]] = (seen[status[1]] || 0) + 1;
		if (i % 20 === 0 || i === count) {
			const right = (await talk(Buffer.from('GET /debug/pprof/cmdline HTTP/1.1\r\n\r\n'), 30000, whole)).toString('latin1');
			if (!right.startsWith('HTTP/1.1 200 ') || !right.endsWith('\r\n\r\nweb'))
				throw new Error(`after request ${i} (${JSON.stringify(data.toString('latin1').slice(0, 200))}) a right one brought ${JSON.stringify(right.slice(0, 200))}`);
		}
	}
	console.log(`${count} requests from seed ${seed}: ${answered} answered, ${JSON.stringify(seen)}`);
})().catch(e => {
	console.log(e.message);
	process.exit(1);
});
