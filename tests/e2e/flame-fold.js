/*
 * Reads pages of hbdump --flame as their own script does, without a browser, and holds that against what is known otherwise: node's own
 * gunzip, the samples of the profile added up, and what pprof_sample puts in. Prints TAP lines without numbers; run by test-flame.sh.
 *
 *	node tests/e2e/flame-fold.js PLAIN.html PLAIN.pb.gz OTHER.html OTHER.pb.gz ...
 */
'use strict';
const fs = require('fs'), vm = require('vm'), zlib = require('zlib'), path = require('path');
const page = vm.createContext({ Uint8Array, Uint16Array, TextDecoder, BigInt, atob });
vm.runInContext(fs.readFileSync(path.join(__dirname, '../../prof/page/flame_read.js'), 'utf8'), page);
const ok = (good, name, note = '') => console.log(`${good ? 'ok' : 'not ok'} - ${name}${good ? '' : `\n# ${note}`}`);

/* Everything deflate has: stored, fixed and dynamic blocks, lengths and distances of all sizes. */
let state = 1, bad = '';
const random = n => (state = Math.imul(state, 1103515245) + 12345 >>> 0) % n;
for (let i = 0; i < 60; i++) {
	const n = [0, 1, 100, 5000, 100000][i % 5], data = Buffer.alloc(n);
	for (let k = 0; k < n; k++) /* runs and repetitions among noise */
		data[k] = i < 10 ? random(256) : k > 40000 && random(4) ? data[k - 32768] : k > 9 && random(3) ? data[k - 1 - random(9)] : 97 + random(i);
	for (const options of [{ level: 0 }, { level: 1 }, { level: 9 }, { strategy: zlib.constants.Z_FIXED }, { strategy: zlib.constants.Z_HUFFMAN_ONLY }]) {
		page.packed = new Uint8Array(zlib.gzipSync(data, options));
		const got = Buffer.from(vm.runInContext('gunzip(packed)', page));
		if (!got.equals(data))
			bad = `${n} bytes, ${JSON.stringify(options)}`;
	}
}
ok(bad === '', 'the page unpacks what zlib packs', bad);

function read(html) {
	page.text = fs.readFileSync(html, 'utf8').match(/<script type="text\/plain" id="data">\n([^<]*)<\/script>/)[1];
	return vm.runInContext('profileOf(text)', page);
}

/* Sums of a tree, for each value: of the samples below each node. */
function sums(d, type) {
	const step = 3 + d.types.length, count = d.nodes.length / 3 + 1, own = new Float64Array(count);
	for (let i = 0; i < d.samples.length; i += step)
		own[d.samples[i]] += d.samples[i + 3 + type];
	for (let i = count - 1; i > 0; i--)
		own[d.nodes[3 * i - 3]] += own[i];
	return own;
}

const files = process.argv.slice(2);
for (let i = 0; i < files.length; i += 2) {
	const d = read(files[i]), name = path.basename(files[i + 1]), step = 3 + d.types.length;
	const coded = page.text.trim().split('\n')[1];
	ok(Buffer.from(coded, 'base64').equals(fs.readFileSync(files[i + 1])) && d.name === name, `${name}: the page holds the profile as it came`);
	let order = true;
	for (let k = 0; k < d.nodes.length; k += 3)
		order = order && d.nodes[k] <= k / 3 && d.functions[d.nodes[k + 1]] !== undefined && [1, 2, 3].includes(d.nodes[k + 2]);
	for (let k = 0; k < d.samples.length; k += step)
		order = order && d.samples[k] <= d.nodes.length / 3 && d.samples[k + 2] <= d.sets.length / 2;
	ok(order, `${name}: every node comes after its caller, every sample has a node`);
}

/* pprof_sample's "plain": 1000 samples of 10 ms; half of them below function_2, 80 of them in recursions of function_4. */
const d = read(files[0]), where = name => {
	const own = sums(d, 0);
	let sum = 0;
	for (let i = 1; i <= d.nodes.length / 3; i++) {
		let inner = false;
		for (let p = d.nodes[3 * i - 3]; p > 0; p = d.nodes[3 * p - 3])
			inner = inner || d.functions[d.nodes[3 * p - 2]][0] === name;
		if (!inner && d.functions[d.nodes[3 * i - 2]][0] === name)
			sum += own[i];
	}
	return sum;
};
const got = [sums(d, 0)[0], sums(d, 1)[0], where('function_2'), where('function_4'), d.types.join(' '), d.duration > 0];
ok(JSON.stringify(got) === JSON.stringify([1000, 1e10, 500, 80, 'samples,count cpu,nanoseconds', true]), 'the tree has the samples that were put in', got.join(' | '));
ok(d.functions.some(([f, file, line]) => /^0x8020[0-9a-f]{4}$/.test(f) && file === '' && line === 0), 'a place without a name is its address');
ok(d.labels.some(([k, v]) => k === 'bytes' && v === '64 bytes'), 'labels that are numbers have their unit');
