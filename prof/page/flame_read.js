'use strict';
/*
 * The reader: a gzip'd profile (github.com/google/pprof, proto/profile.proto) as it lies in the page, folded into a tree of functions. Whoever
 * made the page answers for the profile: hbdump has checked it, the machine has written it. Nothing here knows of the page.
 *
 * fold() returns
 *	functions	[name, file, line]; a place without a name: [its address, '', 0]
 *	nodes		three numbers a node, from node 1 on: parent, function, how calls were made to it (1 called, 2 inlined, 3 both). Node 0
 *			is the whole profile; a node's number is greater than its parent's
 *	labels		[key, text]; sets: two numbers a set, from set 1 on: the set before its last label or 0, and that label
 *	samples		3 numbers a sample and its values: node, line in its function, set
 */

/* RFC 1952 around RFC 1951. */
function gunzip(from) {
	let at = 10, hold = 0, held = 0, out = new Uint8Array(from.length * 4), n = 0;
	if (from[3] & 4)
		at += 2 + from[at] + 256 * from[at + 1];
	for (const flag of [8, 16]) /* name, comment */
		if (from[3] & flag)
			at = from.indexOf(0, at) + 1;
	if (from[3] & 2)
		at += 2;
	const bits = count => {
		while (held < count) {
			if (at >= from.length)
				throw new Error('the profile is cut short');
			hold |= from[at++] << held;
			held += 8;
		}
		const v = hold & (1 << count) - 1;
		hold >>>= count;
		held -= count;
		return v;
	};
	const room = more => {
		if (n + more <= out.length)
			return;
		const larger = new Uint8Array(2 * (n + more));
		larger.set(out);
		out = larger;
	};
	/* A canonical Huffman code from its lengths: how many codes of each length, and the symbols in the order of their codes. */
	const code = lengths => {
		const counts = new Uint16Array(16), starts = new Uint16Array(16), symbols = new Uint16Array(lengths.length);
		for (const l of lengths)
			counts[l]++;
		counts[0] = 0;
		for (let l = 1; l < 16; l++)
			starts[l] = starts[l - 1] + counts[l - 1];
		lengths.forEach((l, s) => l > 0 && (symbols[starts[l]++] = s));
		return { counts, symbols };
	};
	const symbol = ({ counts, symbols }) => {
		for (let l = 1, value = 0, first = 0, index = 0; l < 16; l++) {
			value |= bits(1);
			if (value - first < counts[l])
				return symbols[index + value - first];
			index += counts[l];
			first = first + counts[l] << 1;
			value <<= 1;
		}
		throw new Error('the profile is damaged');
	};
	const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
	const extraOfLength = s => s < 4 || s === 28 ? 0 : (s >> 2) - 1;
	const extraOfDistance = s => s < 2 ? 0 : (s >> 1) - 1;
	const distanceOf = s => s < 4 ? s + 1 : (2 + (s & 1) << extraOfDistance(s)) + 1;
	const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
	const tables = () => {
		const literals = bits(5) + 257, distances = bits(5) + 1, lengths = new Array(19).fill(0), all = [];
		for (let i = 0, k = bits(4) + 4; i < k; i++)
			lengths[ORDER[i]] = bits(3);
		const first = code(lengths);
		while (all.length < literals + distances) {
			const s = symbol(first);
			const [what, times] = s < 16 ? [s, 1] : s === 16 ? [all[all.length - 1], 3 + bits(2)] : [0, s === 17 ? 3 + bits(3) : 11 + bits(7)];
			for (let i = 0; i < times; i++)
				all.push(what);
		}
		return [code(all.slice(0, literals)), code(all.slice(literals))];
	};
	const fixed = () => [code(Array.from({ length: 288 }, (_, i) => i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)), code(new Array(30).fill(5))];
	for (let last = 0; !last;) {
		last = bits(1);
		const type = bits(2);
		if (type === 0) {
			hold = held = 0;
			const size = from[at] + 256 * from[at + 1];
			room(size);
			out.set(from.subarray(at + 4, at + 4 + size), n);
			n += size;
			at += 4 + size;
			continue;
		}
		const [literals, distances] = type === 1 ? fixed() : tables();
		for (let s; (s = symbol(literals)) !== 256;) {
			room(258);
			if (s < 256) {
				out[n++] = s;
				continue;
			}
			const length = LENGTHS[s - 257] + bits(extraOfLength(s - 257)), d = symbol(distances);
			const back = distanceOf(d) + bits(extraOfDistance(d));
			for (let i = 0; i < length; i++, n++)
				out[n] = out[n - back];
		}
	}
	return out.subarray(0, n);
}

class Reader {
	constructor(bytes) {
		this.bytes = bytes;
		this.at = 0;
	}
	get more() {
		return this.at < this.bytes.length;
	}
	varint() {
		let v = 0, scale = 1, big = 0n;
		for (let i = 0; ; i++, scale *= 128) {
			const b = this.bytes[this.at++];
			if (i < 7)
				v += (b & 127) * scale;
			else /* past what a number holds exactly: these are rare */
				big |= BigInt(b & 127) << BigInt(7 * i);
			if (!(b >= 128))
				return big === 0n ? v : Number(BigInt.asIntN(64, big | BigInt(v)));
		}
	}
	part(n) {
		this.at += n;
		return this.bytes.subarray(this.at - n, this.at);
	}
}

/* Calls each(field, value) for the fields of a message: a number, or its bytes. */
function fields(bytes, each) {
	const r = new Reader(bytes);
	while (r.more) {
		const key = r.varint();
		each(key >>> 3, key % 8 === 0 ? r.varint() : r.part(r.varint()));
	}
}

/* A repeated number, packed or alone. */
function numbers(value, list) {
	if (typeof value === 'number') {
		list.push(value);
		return;
	}
	for (const r = new Reader(value); r.more;)
		list.push(r.varint());
}

/* Numbers of pairs that were not there before, in the order they came. */
class Pairs {
	constructor() {
		this.list = [];
		this.known = new Map();
	}
	put(a, b) {
		let below = this.known.get(a);
		if (below === undefined)
			this.known.set(a, below = new Map());
		let i = below.get(b);
		if (i === undefined) {
			below.set(b, i = this.list.length);
			this.list.push([a, b]);
		}
		return i;
	}
}

function messageOf(bytes) {
	const m = {};
	fields(bytes, (f, v) => m[f] = v);
	return m;
}

function fold(bytes, name) {
	const text = new TextDecoder(), strings = [], types = [], comments = [], raw = [], places = new Map(), calls = new Map();
	let program = -1, time = 0, duration = 0, best = 0;
	fields(bytes, (f, v) => {
		if (f === 1)
			types.push(messageOf(v));
		else if (f === 2)
			raw.push(v);
		else if (f === 3 && program < 0)
			program = messageOf(v)[5] || 0;
		else if (f === 4)
			locationRead(v);
		else if (f === 5)
			functionRead(v);
		else if (f === 6)
			strings.push(text.decode(v));
		else if (f === 9)
			time = v;
		else if (f === 10)
			duration = v;
		else if (f === 13)
			numbers(v, comments);
		else if (f === 14)
			best = v;
	});
	function functionRead(v) {
		const m = messageOf(v);
		calls.set(m[1], [m[2] || 0, m[4] || 0, m[5] || 0]);
	}
	function locationRead(v) {
		const lines = [];
		let id = 0, address = 0;
		fields(v, (f, x) => {
			if (f === 1)
				id = x;
			else if (f === 3)
				address = x;
			else if (f === 4)
				lines.push(messageOf(x));
		});
		places.set(id, { address, lines: lines.map(m => [m[1], m[2] || 0]) });
	}
	/* functions: (name, file), or (address, -1); the line where one begins is that of its first */
	const functions = new Pairs(), begins = [], nodes = new Pairs(), inlined = [], labels = new Pairs(), sets = new Pairs(), samples = [];
	function functionOf(place, line) {
		const [called, file, begin] = line === undefined ? [0, 0, 0] : calls.get(line[0]);
		const plain = strings[called] === '', i = plain ? functions.put(place.address, -1) : functions.put(called, file);
		if (i === begins.length)
			begins.push(plain ? 0 : begin);
		return i;
	}
	function down(node, f, how) {
		const i = nodes.put(node, f);
		inlined[i] |= how;
		return i + 1;
	}
	function labelOf(v) {
		const m = messageOf(v), unit = strings[m[4] || 0];
		return labels.put(strings[m[1] || 0], m[2] ? strings[m[2]] : `${m[3] || 0}${unit === '' ? '' : ` ${unit}`}`);
	}
	for (const sample of raw) {
		const stack = [], values = [];
		let node = 0, at = 0, set = 0;
		fields(sample, (f, v) => {
			if (f === 1)
				numbers(v, stack);
			else if (f === 2)
				numbers(v, values);
			else if (f === 3)
				set = sets.put(set, labelOf(v)) + 1;
		});
		for (let k = stack.length - 1; k >= 0; k--) {
			const place = places.get(stack[k]);
			at = 0;
			if (place.lines.length === 0)
				node = down(node, functionOf(place), 1);
			for (let i = place.lines.length - 1; i >= 0; i--) {
				node = down(node, functionOf(place, place.lines[i]), i < place.lines.length - 1 ? 2 : 1);
				at = place.lines[i][1];
			}
		}
		samples.push(node, at, set);
		for (let i = 0; i < types.length; i++)
			samples.push(values[i] || 0);
	}
	const named = types.map(m => [strings[m[1] || 0], strings[m[2] || 0]]);
	const chosen = best === 0 ? -1 : named.findIndex(([type]) => type === strings[best]);
	const hex = address => `0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`;
	return {
		name, program: program > 0 ? strings[program] : '', time, duration, types: named, type: chosen < 0 ? named.length - 1 : chosen,
		comments: comments.map(i => strings[i]),
		functions: functions.list.map(([a, b], i) => b === -1 ? [hex(a), '', 0] : [strings[a], strings[b], begins[i]]),
		labels: labels.list, sets: sets.list.flat(), nodes: nodes.list.flatMap(([a, b], i) => [a, b, inlined[i]]), samples,
	};
}

/* The page's data: a line with the profile's name, percent-encoded, and its bytes in base64. */
function profileOf(text) {
	const [name, coded] = text.trim().split('\n'), bytes = Uint8Array.from(atob(coded), c => c.charCodeAt(0));
	return fold(gunzip(bytes), decodeURIComponent(name));
}
