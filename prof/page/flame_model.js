/*
 * The model: what fold() made of the profile, added up. Node 0 is the whole profile; a node's number is greater than its
 * parent's, so one pass from the last to the first adds every node to its parent. Nothing here knows of the page.
 */
const data = profileOf(document.getElementById('data').textContent);
const TYPES = data.types.length, STEP = 3 + TYPES;
const COUNT = data.nodes.length / 3 + 1;
const parents = new Int32Array(COUNT), funcs = new Int32Array(COUNT), inlined = new Uint8Array(COUNT);
const kids = Array.from({ length: COUNT }, () => []);
parents[0] = funcs[0] = -1;
for (let i = 1; i < COUNT; i++) {
	parents[i] = data.nodes[3 * i - 3];
	funcs[i] = data.nodes[3 * i - 2];
	inlined[i] = data.nodes[3 * i - 1];
	kids[parents[i]].push(i);
}

/* The labels of each set, a chain of [set before, label], as a list. */
const sets = [[]];
for (let i = 0; i < data.sets.length; i += 2)
	sets.push(sets[data.sets[i]].concat(data.sets[i + 1]));

/* What is shown: a value of the samples, and only samples with a label (-1: all). */
const shown = { type: data.type, label: -1 };
const own = new Float64Array(COUNT), total = new Float64Array(COUNT);

function addUp() {
	own.fill(0);
	for (let i = 0; i < data.samples.length; i += STEP)
		if (shown.label < 0 || sets[data.samples[i + 2]].includes(shown.label))
			own[data.samples[i]] += data.samples[i + 3 + shown.type];
	total.set(own);
	for (let i = COUNT - 1; i > 0; i--)
		total[parents[i]] += total[i];
}

/* Widest first: the eye finds the same function at the same place, and the main thing at the left. */
function sortKids() {
	for (const list of kids)
		list.sort((a, b) => total[b] - total[a] || a - b);
}

function nameOf(i) {
	return i === 0 ? 'all' : data.functions[funcs[i]][0];
}

function fileOf(i) {
	return i === 0 ? '' : data.functions[funcs[i]][1];
}

/* ---- rooms: a function's colour says which part of the system it is of ---- */

const HUES = { apps: 28, tests: 10, kernel: 207, sched: 150, prof: 48, trace: 262, arch: 338, boot: 85, include: 118, picolibc: 180, zlib: 232 };
const BRACKETS = 'not code';

function roomOf(f) {
	const [name, file] = data.functions[f];
	if (/^\[.*\]$/.test(name))
		return BRACKETS;
	const parts = file.replace(/^(\.\/)+/, '').split('/');
	if (file === '')
		return 'unknown';
	if (parts[0] === '')
		return parts.length > 2 ? parts[parts.length - 2] : 'other';
	return parts.length > 1 ? parts[0] : 'other';
}

function hash(text) {
	let h = 2166136261;
	for (let i = 0; i < text.length; i++)
		h = Math.imul(h ^ text.charCodeAt(i), 16777619) >>> 0;
	return h;
}

const rooms = data.functions.map((_, f) => roomOf(f));

function roomColour(room, shade) {
	if (room === BRACKETS || room === 'unknown')
		return `hsl(215, 12%, ${Math.round(72 + shade * 8)}%)`;
	const hue = room in HUES ? HUES[room] : hash(room) % 360;
	return `hsl(${hue}, ${Math.round(62 + shade * 12)}%, ${Math.round(67 + shade * 11)}%)`;
}

const colours = data.functions.map(([name], f) => roomColour(rooms[f], (hash(name) >>> 8 & 255) / 255));

function colourOf(i) {
	return i === 0 ? '#dfe4ea' : colours[funcs[i]];
}

/* [room, value] of what was spent in each room's functions themselves, the most first. */
function roomSums() {
	const sums = new Map();
	for (let i = 1; i < COUNT; i++)
		if (own[i] > 0)
			sums.set(rooms[funcs[i]], (sums.get(rooms[funcs[i]]) || 0) + own[i]);
	return [...sums].sort((a, b) => b[1] - a[1]);
}

/* ---- numbers for people ---- */

function trim(n, unit) {
	const digits = n >= 100 ? 0 : n >= 10 ? 1 : 2;
	return `${n.toFixed(digits)} ${unit}`;
}

function scaled(n, steps) {
	for (const [size, unit] of steps)
		if (n >= size)
			return trim(n / size, unit);
	return null;
}

function valueText(n, type = shown.type) {
	const unit = data.types[type][1];
	const ns = { nanoseconds: 1, microseconds: 1e3, milliseconds: 1e6, seconds: 1e9 }[unit];
	if (ns !== undefined)
		return n === 0 ? '0 s' : scaled(n * ns, [[1e9, 's'], [1e6, 'ms'], [1e3, '\u00b5s'], [1, 'ns']]) || `${n} ${unit}`;
	if (unit === 'bytes')
		return scaled(n, [[2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB']]) || `${n} bytes`;
	const text = n.toLocaleString('en');
	return unit === 'count' || unit === '' ? text : `${text} ${unit}`;
}

function shareText(n, of) {
	const share = of > 0 ? 100 * n / of : 0;
	return `${share.toFixed(share >= 99.95 || share === 0 ? 0 : share >= 0.1 ? 1 : 2)} %`;
}

function typeText(type) {
	const [name, unit] = data.types[type];
	const words = { cpu: 'CPU time', samples: 'samples', delay: 'delay', contentions: 'contentions', goroutine: 'goroutines', wall: 'wall-clock time',
		alloc_space: 'bytes allocated', alloc_objects: 'objects allocated', inuse_space: 'bytes in use', inuse_objects: 'objects in use' };
	return words[name] || (name === '' ? unit || 'value' : name.replace(/_/g, ' '));
}

/* ---- search ---- */

/* A function that tells whether a node is meant; null for an empty query. What is no regular expression is taken as plain text. */
function matcher(query) {
	if (query === '')
		return null;
	let test;
	try {
		const re = new RegExp(query, 'i');
		test = text => re.test(text);
	} catch (e) {
		const plain = query.toLowerCase();
		test = text => text.toLowerCase().includes(plain);
	}
	const fits = data.functions.map(([name, file], f) => test(name) || test(file) || test(`in:${rooms[f]}`));
	return i => i > 0 && fits[funcs[i]];
}

/* What the nodes that match cover below a node; within each other they count once. */
function covered(top, match) {
	let sum = 0;
	const todo = [top];
	while (todo.length > 0) {
		const i = todo.pop();
		if (match(i))
			sum += total[i];
		else
			todo.push(...kids[i]);
	}
	return sum;
}

/* ---- layout ---- */

/*
 * Bars {i, x, w, row} of a node over the whole width, its callers above it, what it called in its width. Of bars narrower than least none
 * is made, and nothing below them.
 */
function layout(top, width, least) {
	const bars = [];
	let row = 0;
	const line = [];
	for (let i = parents[top]; i >= 0; i = parents[i])
		line.push(i);
	for (const i of line.reverse())
		bars.push({ i, x: 0, w: width, row: row++, past: true });
	if (total[top] <= 0)
		return bars;
	const scale = width / total[top], todo = [{ i: top, x: 0, w: width, row }];
	while (todo.length > 0) {
		const bar = todo.pop();
		bars.push(bar);
		let at = bar.x;
		for (const k of kids[bar.i]) {
			const w = total[k] * scale;
			if (w < least)
				break; /* those after it are narrower still */
			todo.push({ i: k, x: at, w, row: bar.row + 1 });
			at += w;
		}
	}
	return bars;
}

/* [function, itself, with calls] of the functions that most is spent in. A function within itself counts once. */
function hottest(most) {
	const self = new Map(), all = new Map(), within = new Map();
	const todo = [0];
	while (todo.length > 0) {
		const i = todo.pop();
		if (i < 0) {
			const f = funcs[~i];
			within.set(f, within.get(f) - 1);
			continue;
		}
		if (total[i] === 0)
			continue;
		if (i > 0) {
			const f = funcs[i], depth = within.get(f) || 0;
			self.set(f, (self.get(f) || 0) + own[i]);
			if (depth === 0)
				all.set(f, (all.get(f) || 0) + total[i]);
			within.set(f, depth + 1);
			todo.push(~i);
		}
		todo.push(...kids[i]);
	}
	return [...self].filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]).slice(0, most).map(([f, n]) => [f, n, all.get(f)]);
}

/* The lines of a node where it ran itself: [line, value], the most first. */
function ownLines(i) {
	const lines = new Map();
	for (let s = 0; s < data.samples.length; s += STEP)
		if (data.samples[s] === i && data.samples[s + 1] > 0 && (shown.label < 0 || sets[data.samples[s + 2]].includes(shown.label)))
			lines.set(data.samples[s + 1], (lines.get(data.samples[s + 1]) || 0) + data.samples[s + 3 + shown.type]);
	return [...lines].sort((a, b) => b[1] - a[1]);
}
