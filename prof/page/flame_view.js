
/*
 * The view: the page's one state, drawn anew after each change, and what mouse and keys do to it. Text from the profile gets into the
 * page as text only.
 */
const $ = id => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const ROW = 21, LEAST = 0.5, CHAR = 7.23, PAD = 5;
const state = { top: 0, query: '', flip: false, on: -1 };
const drawn = new Map(); /* node -> its bar, with its element */
let match = null;

function make(tag, text, parent) {
	const e = document.createElement(tag);
	e.textContent = text;
	if (parent)
		parent.append(e);
	return e;
}

/* What of a bar's name fits, and its share when there is room for that, too. */
function barText(bar, size = CHAR) {
	const room = Math.floor((bar.w - 2 * PAD) / size), name = nameOf(bar.i), share = shareText(total[bar.i], total[0]);
	if (room < 3)
		return null;
	return [name.length <= room ? name : name.slice(0, room - 1) + '\u2026', name.length + 2 + share.length <= room ? share : ''];
}

function bars() {
	const list = layout(state.top, state.width, LEAST);
	const rows = list.reduce((most, b) => Math.max(most, b.row + 1), 1);
	for (const b of list)
		b.y = (state.flip ? rows - 1 - b.row : b.row) * ROW;
	return { list, height: rows * ROW };
}

function draw() {
	const graph = $('graph');
	state.width = graph.clientWidth;
	drawn.clear();
	if (total[0] === 0) {
		graph.replaceChildren();
		make('div', 'No samples here.', graph).className = 'empty';
		return;
	}
	const { list, height } = bars();
	const svg = document.createElementNS(SVG, 'svg');
	svg.setAttribute('height', height + 1);
	svg.setAttribute('role', 'group');
	for (const b of list) {
		const g = document.createElementNS(SVG, 'g'), rect = document.createElementNS(SVG, 'rect'), name = nameOf(b.i);
		g.dataset.node = b.i;
		g.setAttribute('role', 'img');
		g.setAttribute('aria-label', `${name}, ${shareText(total[b.i], total[0])}`);
		for (const [k, v] of [['x', b.x], ['y', b.y], ['width', b.w], ['height', ROW - 1], ['rx', 2], ['fill', colourOf(b.i)]])
			rect.setAttribute(k, v);
		g.append(rect);
		const text = barText(b);
		if (text) {
			const t = document.createElementNS(SVG, 'text');
			t.setAttribute('x', b.x + PAD);
			t.setAttribute('y', b.y + 14);
			t.textContent = text[0];
			if (text[1]) {
				const share = document.createElementNS(SVG, 'tspan');
				share.setAttribute('dx', 10);
				share.textContent = text[1];
				t.append(share);
			}
			g.append(t);
		}
		b.g = g;
		drawn.set(b.i, b);
		svg.append(g);
	}
	paint();
	graph.replaceChildren(svg);
	mark(drawn.has(state.on) ? state.on : -1);
}

/* What a bar is besides its size: above the zoomed, found, too thin for an edge. */
function paint() {
	const found = match !== null && covered(0, match) > 0;
	for (const b of drawn.values())
		b.g.setAttribute('class', `f${b.past ? ' past' : ''}${b.w < 3 ? ' thin' : ''}${found ? match(b.i) ? ' hit' : ' miss' : ''}` +
			`${b.i === state.on ? ' on' : ''}`);
}

/* ---- what stands around the graph ---- */

function drawPath() {
	const path = $('path');
	path.replaceChildren();
	$('reset').disabled = state.top === 0 && state.query === '' && shown.label < 0;
	if (state.top === 0)
		return;
	const line = [];
	for (let i = state.top; i >= 0; i = parents[i])
		line.unshift(i);
	line.forEach((i, k) => {
		if (k > 0)
			path.append(' \u203a ');
		const e = make(i === state.top ? 'b' : 'a', nameOf(i), path);
		if (i !== state.top)
			e.onclick = () => zoom(i);
	});
	path.append(` \u2014 ${valueText(total[state.top])}, ${shareText(total[state.top], total[0])} of the whole`);
}

function drawFound() {
	const found = $('found');
	found.hidden = match === null;
	if (match === null)
		return;
	const n = covered(state.top, match), whole = covered(0, match);
	found.replaceChildren();
	make('b', whole === 0 ? 'Nothing' : shareText(n, total[state.top]), found);
	if (whole === 0)
		found.append(` here matches \u201c${state.query}\u201d`);
	else
		found.append(` of what is shown (${valueText(n)}) is in functions that match \u201c${state.query}\u201d, or in what they called`);
	if (state.top !== 0 && whole > 0)
		found.append(`; ${shareText(whole, total[0])} of the whole`);
}

function drawLegend() {
	const sums = roomSums();
	const legend = $('legend');
	legend.replaceChildren();
	if (sums.length > 0)
		legend.append('Spent in:');
	for (const [room, n] of sums) {
		const b = make('button', '', legend), i = make('i', '', b);
		i.style.background = roomColour(room, 0.4);
		b.append(room);
		make('span', shareText(n, total[0]), b);
		b.title = `Find all of ${room}`;
		b.onclick = () => search(state.query === `in:${room}$` ? '' : `in:${room}$`);
	}
}

function drawTop() {
	const rows = $('rows');
	rows.replaceChildren();
	const list = hottest(12);
	$('top').hidden = list.length === 0;
	for (const [f, self, all] of list) {
		const [name, file] = data.functions[f], tr = make('tr', '', rows);
		make('td', valueText(self), tr);
		make('td', shareText(self, total[0]), tr);
		const bar = make('span', '', make('td', '', tr));
		bar.className = 'bar';
		make('i', '', bar).style.width = `${100 * self / total[0]}%`;
		make('td', valueText(all), tr);
		make('td', shareText(all, total[0]), tr);
		const td = make('td', `${name} `, tr);
		make('small', file, td);
		tr.onclick = () => search(`^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
	}
}

function drawSummary() {
	const program = data.program || data.name, what = typeText(shown.type);
	$('title').textContent = `${program}: ${what}`;
	document.title = `${program}: ${what} \u2014 flame graph`;
	const parts = [`${valueText(total[0])} of ${what}`];
	if (data.duration > 0)
		parts.push(`over ${trim(data.duration / 1e9, 's')}`);
	if (shown.label >= 0)
		parts.push(`where ${data.labels[shown.label].join(' is ')}`);
	parts.push(data.name);
	if (data.time > 0)
		parts.push(new Date(data.time / 1e6).toISOString().replace('T', ' ').slice(0, 16) + ' UTC');
	$('summary').textContent = parts.join(' \u00b7 ');
	$('below').textContent = state.flip ? 'above' : 'below';
	$('under').textContent = state.flip ? 'above' : 'under';
}

function drawAll() {
	draw();
	drawPath();
	drawFound();
	drawLegend();
	drawTop();
	drawSummary();
}

/* ---- changes ---- */

function zoom(i) {
	state.top = i;
	hideTip();
	draw();
	drawPath();
	drawFound();
}

function search(query) {
	state.query = query;
	match = matcher(query);
	if ($('search').value !== query)
		$('search').value = query;
	paint();
	drawPath();
	drawFound();
}

function show(type, label) {
	shown.type = type;
	shown.label = label;
	addUp();
	sortKids();
	if (total[state.top] === 0)
		state.top = 0;
	$('type').value = type;
	$('label').value = label;
	hideTip();
	drawAll();
}

function flip() {
	state.flip = !state.flip;
	hideTip();
	draw();
	drawSummary();
}

function reset() {
	state.top = 0;
	state.on = -1;
	search('');
	show(shown.type, -1);
}

/* ---- details ---- */

function tipFill(i) {
	const tip = $('tip'), file = fileOf(i), f = data.functions[funcs[i]];
	tip.replaceChildren();
	make('b', i === 0 ? 'the whole profile' : nameOf(i), tip);
	if (file !== '')
		make('div', f[2] > 0 ? `${file}:${f[2]}` : file, tip).className = 'file';
	if (inlined[i] & 2)
		make('div', inlined[i] === 2 ? 'inlined into its caller' : 'inlined into its caller, in places', tip).className = 'file';
	const table = make('table', '', tip);
	const row = (...cells) => {
		const tr = make('tr', '', table);
		cells.forEach(c => make('td', c, tr));
	};
	row('with calls', valueText(total[i]), shareText(total[i], total[0]));
	row('itself', valueText(own[i]), shareText(own[i], total[0]));
	if (state.top !== 0 && i >= state.top)
		row('of the zoomed', '', shareText(total[i], total[state.top]));
	ownLines(i).slice(0, 3).forEach(([line, n]) => row(`line ${line}`, valueText(n), shareText(n, total[0])));
}

function tipAt(x, y) {
	const tip = $('tip');
	tip.hidden = false;
	const w = tip.offsetWidth, h = tip.offsetHeight;
	tip.style.left = `${Math.max(4, Math.min(x + 14, window.innerWidth - w - 8))}px`;
	tip.style.top = `${y + 18 + h > window.innerHeight ? Math.max(4, y - h - 12) : y + 18}px`;
}

function hideTip() {
	$('tip').hidden = true;
}

/* The bar that keys act on. */
function mark(i) {
	const before = drawn.get(state.on);
	if (before)
		before.g.classList.remove('on');
	state.on = i;
	if (i >= 0)
		drawn.get(i).g.classList.add('on');
}

function go(i) {
	if (!drawn.has(i))
		return;
	mark(i);
	const { g } = drawn.get(i);
	g.scrollIntoView({ block: 'nearest' });
	const r = g.getBoundingClientRect();
	tipFill(i);
	tipAt(r.left + Math.min(r.width / 2, 200), r.bottom - 12);
}

/* The bar beside one, in its row. */
function beside(i, step) {
	const at = drawn.get(i);
	const row = [...drawn.values()].filter(b => b.row === at.row).sort((a, b) => a.x - b.x);
	const next = row[row.indexOf(at) + step];
	return next ? next.i : i;
}

/* ---- a picture ---- */

function escapeXml(text) {
	return text.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`).replace(/[\u0000-\u0008\u000b-\u001f]/g, '\ufffd');
}

/* What is shown as an SVG picture of its own, so many units wide. */
function picture(width) {
	const before = state.width;
	state.width = width - 20;
	const { list, height } = bars();
	state.width = before;
	const at = n => +n.toFixed(1), head = 34, whole = height + head + 30;
	const out = [`<svg xmlns="${SVG}" viewBox="0 0 ${width} ${whole}" width="${width}" height="${whole}" role="img" ` +
		`font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="11">`,
	`<title>${escapeXml(document.title)}</title>`,
	`<rect width="100%" height="100%" fill="#fff"/>`,
	`<text x="10" y="21" font-size="13" font-weight="600" fill="#1f2933">${escapeXml(`${$('title').textContent}, ${valueText(total[0])}`)}</text>`];
	for (const b of list) {
		const text = barText(b, 6.7), fill = match && match(b.i) ? '#c77dff' : colourOf(b.i);
		out.push(`<g><title>${escapeXml(`${nameOf(b.i)}: ${valueText(total[b.i])}, ${shareText(total[b.i], total[0])}`)}</title>` +
			`<rect x="${at(b.x + 10)}" y="${b.y + head}" width="${at(b.w)}" height="${ROW - 1}" rx="2" fill="${fill}"${b.w < 3 ? '' : ' stroke="#fff"'}/>` +
			(text ? `<text x="${at(b.x + 10 + PAD)}" y="${b.y + head + 14}" fill="#1c232b">${escapeXml(text[0])}` +
				`${text[1] && `<tspan dx="9" fill-opacity=".6">${text[1]}</tspan>`}</text>` : '') + '</g>');
	}
	let x = 10;
	for (const [room, n] of roomSums()) {
		const share = shareText(n, total[0]), wide = 45 + (room.length + share.length) * 6.7;
		if (x + wide > width)
			break;
		out.push(`<rect x="${at(x)}" y="${whole - 20}" width="10" height="10" rx="2" fill="${roomColour(room, 0.4)}"/>` +
			`<text x="${at(x + 15)}" y="${whole - 11}" fill="#1c232b">${escapeXml(room)}<tspan dx="6" fill-opacity=".6">${share}</tspan></text>`);
		x += wide;
	}
	return out.join('\n') + '\n</svg>\n';
}

function save() {
	const a = document.createElement('a');
	a.href = URL.createObjectURL(new Blob([picture(1200)], { type: 'image/svg+xml' }));
	a.download = `${data.name.replace(/\.pb\.gz$/, '')}.svg`;
	a.click();
	setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}

/* ---- mouse and keys ---- */

function nodeAt(e) {
	const g = e.target.closest ? e.target.closest('.f') : null;
	return g ? +g.dataset.node : -1;
}

$('graph').addEventListener('click', e => {
	const i = nodeAt(e);
	if (i >= 0) {
		zoom(i);
		if (drawn.has(i))
			mark(i);
	}
});
$('graph').addEventListener('mousemove', e => {
	const i = nodeAt(e);
	if (i < 0)
		return hideTip();
	tipFill(i);
	tipAt(e.clientX, e.clientY);
});
$('graph').addEventListener('mouseleave', hideTip);
$('search').addEventListener('input', () => search($('search').value));
$('type').addEventListener('change', () => show(+$('type').value, shown.label));
$('label').addEventListener('change', () => show(shown.type, +$('label').value));
$('flip').addEventListener('click', flip);
$('save').addEventListener('click', save);
$('reset').addEventListener('click', reset);

document.addEventListener('keydown', e => {
	if (e.ctrlKey || e.altKey || e.metaKey)
		return;
	if (e.key === 'Escape') {
		hideTip();
		$('search').blur();
		if (state.query !== '')
			search('');
		else if (state.top !== 0)
			zoom(parents[state.top]);
		else
			mark(-1);
		return;
	}
	if (/^(INPUT|SELECT)$/.test(document.activeElement.tagName))
		return;
	const on = drawn.has(state.on) ? state.on : state.top;
	const down = () => go(state.on < 0 ? state.top : kids[on].find(k => drawn.has(k)));
	const up = () => go(state.on < 0 ? state.top : parents[on]);
	const keys = {
		'/': () => $('search').focus(), f: flip, s: save, Home: reset,
		ArrowDown: state.flip ? up : down, ArrowUp: state.flip ? down : up,
		ArrowLeft: () => go(beside(on, -1)), ArrowRight: () => go(beside(on, 1)),
	};
	if (e.key === 'Enter' && (document.activeElement === document.body || document.activeElement === $('graph')) && state.on >= 0) {
		const i = state.on;
		zoom(i);
		go(i);
	} else if (keys[e.key] && total[0] > 0) {
		keys[e.key]();
	} else {
		return;
	}
	e.preventDefault();
});

/* The window's size changes the graph's, and so does a scroll bar that comes or goes. */
new ResizeObserver(() => {
	if (total[0] > 0 && $('graph').clientWidth !== state.width)
		draw();
}).observe($('graph'));

/* ---- the beginning ---- */

data.types.forEach((_, t) => {
	const o = make('option', typeText(t), $('type'));
	o.value = t;
});
$('type-box').hidden = TYPES < 2;
{
	const all = make('option', 'everything', $('label'));
	all.value = -1;
	data.labels.slice(0, 500).forEach(([key, text], l) => {
		const o = make('option', `${key}: ${text}`, $('label'));
		o.value = l;
	});
	$('label-box').hidden = data.labels.length === 0;
}
data.comments.forEach(c => make('li', c, $('comments')));
show(data.type, -1);
