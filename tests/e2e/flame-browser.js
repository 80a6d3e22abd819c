/*
 * Appended to a page of hbdump --flame by tests/e2e/test-flame.sh, and run in a browser: uses the page as people do, and writes TAP to
 * the element "tap". The page is that of pprof_sample's profile "plain": 1000 samples of 10 ms.
 */
(() => {
	const lines = [];
	let n = 0;
	const ok = (good, name, note = '') => lines.push(`${good ? 'ok' : 'not ok'} ${++n} - ${name}${good ? '' : `\n# ${note}`}`);
	const near = (a, b, by = 0.01) => Math.abs(a - b) <= by;
	const all = () => [...document.querySelectorAll('#graph .f')].map(g => {
		const r = g.querySelector('rect'), get = k => +r.getAttribute(k);
		return { g, node: +g.dataset.node, name: g.getAttribute('aria-label').split(',')[0], x: get('x'), y: get('y'), w: get('width') };
	});
	const bar = name => all().find(b => b.name === name);
	const click = e => e.dispatchEvent(new MouseEvent('click', { bubbles: true }));
	const key = k => document.dispatchEvent(new KeyboardEvent('keydown', { key: k, bubbles: true, cancelable: true }));
	const type = text => {
		document.getElementById('search').value = text;
		document.getElementById('search').dispatchEvent(new Event('input', { bubbles: true }));
	};
	const choose = (id, text) => {
		const s = document.getElementById(id), o = [...s.options].find(x => x.textContent === text);
		s.value = o.value;
		s.dispatchEvent(new Event('change', { bubbles: true }));
	};
	const text = id => document.getElementById(id).textContent;
	const parent = node => node === 0 ? -1 : data.nodes[3 * node - 3];
	const full = () => document.querySelector('#graph svg').clientWidth;

	/* Widths in pixels against the samples, added up here without the page's own sums. */
	function widths(name, value, only) {
		let sum = 0, bad = '';
		const self = new Map();
		for (let i = 0; i < data.samples.length; i += 3 + data.types.length) {
			if (!only(i))
				continue;
			self.set(data.samples[i], (self.get(data.samples[i]) || 0) + data.samples[i + 3 + value]);
			sum += data.samples[i + 3 + value];
		}
		const bars = all(), root = bars.find(b => b.node === 0);
		for (const b of bars) {
			const below = bars.filter(c => parent(c.node) === b.node);
			const inside = below.reduce((w, c) => w + c.w, 0) + (self.get(b.node) || 0) / sum * root.w;
			if (!near(inside, b.w))
				bad = `${b.name}: ${b.w} wide, ${inside} inside`;
			if (below.some(c => c.x < b.x - 0.01 || c.x + c.w > b.x + b.w + 0.01))
				bad = `${b.name}: something is outside`;
		}
		ok(bars.length > 3 && bad === '' && near(root.w, full(), 1), `widths add up to the whole: ${name}`, bad || `${root.w} of ${full()}`);
		return sum;
	}

	let sum = widths('CPU time', 1, () => true);
	ok(sum === 10000000000 && text('summary').startsWith('10.0 s of CPU time'), 'the whole is the profile', `${sum} ${text('summary')}`);
	const before = bar('function_2').w;

	click(bar('function_2').g);
	ok(near(bar('function_2').w, full(), 1) && bar('all').g.classList.contains('past') && near(bar('function_1').w / full(), 401 / 500, 1e-4),
		'a click zooms: the bar is as wide as the page, what is in it by its share', JSON.stringify(bar('function_1')));
	ok(!bar('function_4') && text('path').includes('function_0 \u203a function_2') && text('path').includes('50.0 % of the whole'),
		'what is not in it is gone, and the way there is shown', text('path'));
	key('Escape');
	ok(near(bar('function_0').w, full(), 1), 'Escape zooms out by one');
	click(document.getElementById('reset'));
	ok(near(bar('function_2').w, before) && text('path') === '', 'Reset shows the whole again');

	type('^function_4$');
	const hit = [...document.querySelectorAll('#graph .hit')].map(g => g.getAttribute('aria-label').split(',')[0]);
	ok(hit.length === 4 && hit.every(x => x === 'function_4'), 'search marks each frame of that name, and no other', hit.join());
	ok(document.querySelectorAll('#graph .miss').length === all().length - 4, 'the others step back');
	ok(text('found').startsWith('8.0 % '), 'a function within itself counts once', text('found'));
	type('FUNCTION_4');
	ok(text('found').startsWith('8.0 % '), 'capitals do not matter', text('found'));
	type('(');
	ok(document.querySelectorAll('#graph .hit, #graph .miss').length === 0 && text('found').startsWith('Nothing'),
		'half a regular expression is text; what matches nothing changes nothing', text('found'));
	type('b\\.c');
	ok(text('found').startsWith('6.0 % '), 'files are searched', text('found'));
	key('Escape');
	ok(document.querySelectorAll('#graph .hit, #graph .miss').length === 0 && document.getElementById('found').hidden, 'Escape ends the search');

	const at = bar('inline_leaf').g.querySelector('rect').getBoundingClientRect();
	bar('inline_leaf').g.querySelector('rect').dispatchEvent(new MouseEvent('mousemove', { bubbles: true, clientX: at.x + 2, clientY: at.y + 2 }));
	ok(!document.getElementById('tip').hidden && ['inline_leaf', 'include/inline.h:3', 'inlined into its caller', '990 ms', '9.9 %', 'line 5']
		.every(x => text('tip').includes(x)), 'hover shows name, place, inlining, time, share and line', text('tip'));
	document.getElementById('graph').dispatchEvent(new MouseEvent('mouseleave'));
	ok(document.getElementById('tip').hidden, 'and goes');

	key('ArrowDown');
	key('ArrowDown');
	key('ArrowDown');
	ok(document.querySelector('#graph .on').getAttribute('aria-label') === 'function_2, 50.0 %', 'arrow keys go down the widest way',
		document.querySelector('#graph .on').getAttribute('aria-label'));
	key('ArrowRight');
	key('ArrowLeft');
	key('Enter');
	ok(near(bar('function_2').w, full(), 1), 'and sideways; Enter zooms');
	key('Home');
	ok(near(bar('function_2').w, before), 'Home shows the whole');

	const upright = bar('all').y < bar('function_0').y;
	click(document.getElementById('flip'));
	ok(upright && bar('all').y > bar('function_0').y && bar('function_0').y > bar('function_2').y, 'Flip turns it over');
	click(document.getElementById('flip'));

	choose('type', 'samples');
	sum = widths('samples', 0, () => true);
	ok(sum === 1000 && text('summary').startsWith('1,000 of samples'), 'another value', text('summary'));
	choose('label', 'goroutine: splitter');
	const splitter = data.labels.findIndex(l => l[1] === 'splitter');
	const has = set => set !== 0 && (data.sets[2 * set - 1] === splitter || has(data.sets[2 * set - 2]));
	sum = widths('a label', 0, i => has(data.samples[i + 2]));
	ok(sum === 300 && text('summary').startsWith('300 of samples') && !bar('function_4'), 'only samples with a label', text('summary'));
	click(document.getElementById('reset'));
	ok(bar('function_4') && document.getElementById('label').value === '-1', 'Reset shows all labels');
	choose('type', 'CPU time');

	const row = document.querySelector('#rows tr');
	ok(row.textContent.includes('4.01 s') && row.textContent.includes('40.1 %') && row.textContent.includes('function_1'), 'the table begins with the most',
		row.textContent);
	click(row);
	ok(document.querySelectorAll('#graph .hit').length === 1, 'its rows find their function');
	key('Escape');
	ok([...document.querySelectorAll('#comments li')].some(l => l.textContent === 'lost: 5 ticks, 50ms'), "the profile's comments are there");

	const svg = new DOMParser().parseFromString(picture(1000), 'image/svg+xml');
	ok(!svg.querySelector('parsererror') && svg.querySelectorAll('g').length === all().length, 'the picture is sound XML and has every bar');
	ok(document.images.length === 0 && document.querySelectorAll('#graph script, #top script').length === 0 && bar('<img src=x onerror=x>'),
		'a name is text, whatever is in it');

	/* Nothing was loaded, and nothing could be. The last test waits, so it writes the plan. */
	const loaded = performance.getEntriesByType('resource').map(e => e.name);
	ok(loaded.length === 0, 'the page loads nothing', loaded.join());
	let refused = 0;
	document.addEventListener('securitypolicyviolation', () => refused++);
	const end = () => {
		ok(refused > 0, 'and its policy lets nothing out');
		const tap = document.createElement('pre');
		tap.id = 'tap';
		tap.textContent = `\n${lines.join('\n')}\n1..${n}\n`;
		document.body.append(tap);
	};
	fetch('http://127.0.0.1:9/').then(() => {}, () => {}).then(() => setTimeout(end, 50));
})();
