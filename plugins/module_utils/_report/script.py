# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the audit's page does: it draws the figures and the table from the data in it, sorts and filters.

Text of others (ids, tags, descriptions) gets into the page as text nodes only, never as markup.
"""

from __future__ import annotations

SCRIPT = r"""
'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const groups = data.groups;
  const $ = (id) => document.getElementById(id);
  const number = (n) => n.toLocaleString('en-US');
  const plural = (n, one, many) => number(n) + ' ' + (n === 1 ? one : many || one + 's');

  const MODES = ['open', 'optional', 'rotating', 'required', 'rbac', 'unknown'];
  const MODE_WORDS = {
    open: 'Open',
    optional: 'Optional',
    rotating: 'Rotating',
    required: 'Required',
    rbac: 'RBAC',
    unknown: 'Not known',
  };
  const KINDS = {
    open: 'No authentication',
    optional: 'Token optional',
    no_password_users: 'Users without password',
    tls_off: 'No TLS',
    drift: 'Drift',
    unknown: 'Mode not known',
    rotating: 'Rotation half-way',
    token_age: 'Old token',
    tls_preferred: 'TLS not required',
    engine_too_old: 'Engine too old',
    create_failed: 'Creation failed',
    not_available: 'Busy',
    serverless: 'Serverless',
    none: 'In order',
  };
  const LEVELS = ['critical', 'warning', 'notice'];
  const ENGINES = { valkey: 'Valkey', redis: 'Redis OSS' };

  // --- Making elements: text is always a text node -------------------------------------------------------------------

  function el(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === 'tone') {
        made.style.setProperty('--tone', 'var(--' + value + ')');
        continue;
      }
      if (name === 'click') {
        made.addEventListener('click', value);
        continue;
      }
      made.setAttribute(name, value === true ? '' : value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ''));
    return made;
  }
  function svg(tag, attributes, ...children) {
    const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }
  const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
  function moment(text) {
    const at = new Date(text);
    const two = (n) => String(n).padStart(2, '0');
    return (
      at.getUTCDate() +
      ' ' +
      MONTHS[at.getUTCMonth()] +
      ' ' +
      at.getUTCFullYear() +
      ', ' +
      two(at.getUTCHours()) +
      ':' +
      two(at.getUTCMinutes()) +
      ' UTC'
    );
  }
  function duration(days) {
    return days < 1 ? 'under a day' : plural(days, 'day');
  }

  // --- The groups, as the page uses them -----------------------------------------------------------------------------

  for (const group of groups) {
    group.mode = group.mode || 'unknown';
    group.findings = group.findings || [];
    group.kinds = group.findings.map((finding) => finding[0]);
    group.level = group.findings.length
      ? Math.min(...group.findings.map((finding) => LEVELS.indexOf(data.levels[finding[0]])))
      : 3;
    const version = (group.version || '').split('.').slice(0, 2).join('.');
    const engine = ENGINES[group.engine] || group.engine || 'Not known';
    group.engineName = group.engine ? (engine + ' ' + (group.version || '')).trim() : '';
    group.line = (engine + ' ' + version).trim();
    group.tooOld = group.kinds.includes('engine_too_old');
    group.hay = [
      group.id,
      group.description,
      group.region,
      group.account,
      group.arn,
      group.mode,
      MODE_WORDS[group.mode],
      group.engineName,
      group.tls && 'TLS ' + group.tls,
      group.status,
      ...group.kinds,
      ...group.kinds.map((kind) => KINDS[kind]),
      ...(group.userGroups || []),
      ...Object.entries(group.tags || {}).flat(),
      ...Object.values(group.endpoints || {}),
    ]
      .filter(Boolean)
      .join('\n')
      .toLowerCase();
  }
  const having = (...kinds) => groups.filter((group) => kinds.some((kind) => group.kinds.includes(kind)));
  const finding = (group, ...kinds) => group.findings.find((one) => kinds.includes(one[0]));

  // --- Header, verdict, notices --------------------------------------------------------------------------------------

  const [day, time] = moment(data.generated_at).split(', ');
  $('moment').append(el('span', { class: 'roomy' }, 'as of '), day, el('span', { class: 'roomy' }, ', ' + time));
  const root = document.documentElement;
  const dark = () =>
    root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  function nameTheme() {
    const [sign, word] = dark() ? ['☀', ' Light'] : ['☾', ' Dark'];
    $('theme').replaceChildren(sign, el('span', { class: 'roomy' }, word));
  }
  try {
    const kept = localStorage.getItem('elasticache-audit-theme');
    if (kept) root.dataset.theme = kept;
  } catch (error) {
    /* none */
  }
  $('theme').addEventListener('click', () => {
    root.dataset.theme = dark() ? 'light' : 'dark';
    try {
      localStorage.setItem('elasticache-audit-theme', root.dataset.theme);
    } catch (error) {
      /* not kept */
    }
    nameTheme();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', nameTheme);
  nameTheme();
  $('print').addEventListener('click', () => window.print());

  function notice(kind, title, texts) {
    const shown = texts.slice(0, 12).map((text) => el('li', {}, text));
    if (texts.length > 12) shown.push(el('li', {}, 'and ' + number(texts.length - 12) + ' more'));
    return el('section', { class: 'notice ' + kind, role: 'status' }, el('h2', {}, title), el('ul', {}, shown));
  }
  if (data.incomplete.length) {
    $('notices').append(
      notice('incomplete', 'This audit is incomplete: not all could be looked at', data.incomplete),
    );
  }
  if (data.failed.length) {
    $('notices').append(
      notice(
        'failed',
        'The audit failed its conditions',
        data.failed.map(([condition, count, names]) => [
          el('b', {}, condition),
          count ? ' ' + plural(count, 'group') : '',
          ': ' + names,
        ]),
      ),
    );
  }

  const main = $('main');
  if (!groups.length) {
    main.append(
      el(
        'section',
        { class: 'empty' },
        el('h2', {}, 'No groups'),
        el(
          'p',
          {},
          data.incomplete.length
            ? 'None was found, but not all could be looked at: see above.'
            : 'There is no replication group and no serverless cache where this audit looked. With more regions or ' +
                'accounts in the inventory it looks further.',
        ),
      ),
    );
    return;
  }

  const unauthenticated = having('open', 'optional');
  const unknown = groups.filter((group) => group.mode === 'unknown');
  const verdict = $('verdict');
  const most = data.max_token_age_days;
  verdict.append(
    el(
      'p',
      { class: 'headline' },
      unauthenticated.length
        ? [
            el('span', { class: 'bad' }, number(unauthenticated.length) + ' of ' + plural(groups.length, 'group')),
            unauthenticated.length === 1 ? ' allows unauthenticated access.' : ' allow unauthenticated access.',
          ]
        : [
            el('span', { class: 'fine' }, 'No group'),
            unknown.length ? ' is known to allow unauthenticated access.' : ' allows unauthenticated access.',
          ],
    ),
  );
  const aside = [];
  const without = having('no_password_users');
  if (without.length)
    aside.push(
      plural(without.length, 'group') + (without.length === 1 ? ' has' : ' have') + ' users that need no password',
    );
  if (unknown.length) aside.push('of ' + number(unknown.length) + ' it is not known what they accept');
  const clean = groups.filter((group) => group.level === 3).length;
  aside.push(clean ? number(clean) + (clean === 1 ? ' is' : ' are') + ' in order' : 'none is without a finding');
  const sentence = aside.join('; ') + '.';
  verdict.append(el('p', {}, sentence[0].toUpperCase() + sentence.slice(1)));
  // A change that is under way, and a serverless cache, have nothing to ask.
  const probeable = unknown.filter(
    (group) => !group.serverless && !group.pending && !(group.evidence || []).includes('nodes'),
  );
  if (probeable.length)
    verdict.append(
      el(
        'p',
        { class: 'hint' },
        'The nodes of ' + plural(probeable.length, 'group') + ' can tell whether unauthenticated access is allowed: ',
        'run the audit from within their VPC with ',
        el('code', {}, 'audit_probe: auto'),
        '.',
      ),
    );

  // --- Figures -------------------------------------------------------------------------------------------------------

  const tiles = el('section', { class: 'tiles', 'aria-label': 'Headline figures' });
  const tileButtons = [];
  function tile(value, label, level, kinds) {
    if (!kinds || !value) {
      tiles.append(el('div', { class: 'tile' }, el('b', {}, number(value)), el('span', {}, label)));
      return;
    }
    const made = el(
      'button',
      { class: 'tile ' + level, type: 'button', 'aria-pressed': 'false', click: () => choose('finding', kinds) },
      el('b', {}, number(value)),
      el('span', {}, label),
    );
    tileButtons.push([made, kinds]);
    tiles.append(made);
  }
  tile(groups.length, groups.length === 1 ? 'group' : 'groups');
  tile(unauthenticated.length, 'unauthenticated access', 'critical', ['open', 'optional']);
  tile(having('rotating').length, 'half-way rotations', 'warning', ['rotating']);
  tile(having('token_age').length, 'tokens over ' + plural(most, 'day'), 'warning', ['token_age']);
  tile(having('unknown').length, 'modes not known', 'warning', ['unknown']);
  tile(having('drift').length, 'changed by others (drift)', 'warning', ['drift']);
  main.append(tiles);

  const cards = el('section', { class: 'cards', 'aria-label': 'Charts' });
  // What there is nothing to show of: a line each.
  const rest = el('section', { class: 'cards rest', 'aria-label': 'Nothing found' });
  main.append(cards, rest);
  function nothingCard(title, text, kind) {
    rest.append(el('section', { class: 'card' }, el('h2', {}, title), el('p', { class: kind }, text)));
  }
  function card(width, title, aside, ...children) {
    const made = el(
      'section',
      { class: ('card ' + width).trim() },
      el('h2', {}, title, aside ? el('small', {}, aside) : null),
      children,
    );
    cards.append(made);
    return made;
  }
  function tally(list) {
    const found = new Map();
    for (const one of list) found.set(one, (found.get(one) || 0) + 1);
    return found;
  }
  const percent = (part) => {
    const p = (part / groups.length) * 100;
    return (p > 0 && p < 1 ? '<1' : Math.round(p)) + ' %';
  };

  const modes = tally(groups.map((group) => group.mode));
  const present = MODES.filter((mode) => modes.has(mode));
  card(
    'wide',
    'Access control',
    plural(groups.length, 'group') + ' by mode',
    el(
      'div',
      {
        class: 'stack',
        role: 'img',
        'aria-label': present.map((mode) => MODE_WORDS[mode] + ' ' + modes.get(mode)).join(', '),
      },
      present.map((mode) => {
        const part = el('span', {
          tone: mode,
          class: 'tone-' + mode,
          title: MODE_WORDS[mode] + ': ' + modes.get(mode),
        });
        part.style.flex = modes.get(mode) + ' 1 0';
        return part;
      }),
    ),
    el(
      'div',
      { class: 'legend' },
      present.map((mode) =>
        el(
          'button',
          { type: 'button', click: () => choose('mode', [mode]) },
          el('span', { class: 'dot tone-' + mode, tone: mode }),
          MODE_WORDS[mode] + ' ',
          el('b', {}, number(modes.get(mode))),
          ' ',
          el('span', { class: 'quiet' }, percent(modes.get(mode))),
        ),
      ),
    ),
  );

  const tls = tally(groups.filter((group) => group.tls).map((group) => group.tls));
  const tones = { required: 'required', preferred: 'optional', off: 'open' };
  const tlsModes = ['required', 'preferred', 'off'].filter((mode) => tls.has(mode));
  card(
    '',
    'Encryption in transit',
    tlsModes.length ? '' : 'not known',
    el(
      'div',
      {
        class: 'stack',
        role: 'img',
        'aria-label': tlsModes.map((mode) => mode + ' ' + tls.get(mode)).join(', '),
      },
      tlsModes.map((mode) => {
        const part = el('span', { tone: tones[mode], title: mode + ': ' + tls.get(mode) });
        part.style.flex = tls.get(mode) + ' 1 0';
        return part;
      }),
    ),
    el(
      'div',
      { class: 'legend' },
      tlsModes.map((mode) =>
        el(
          'span',
          { class: 'plain-item' },
          el('span', { class: 'dot', tone: tones[mode] }),
          mode[0].toUpperCase() + mode.slice(1) + ' ',
          el('b', {}, number(tls.get(mode))),
        ),
      ),
    ),
  );

  function listCard(title, kinds, tone, none, words, note = () => '') {
    const found = having(...kinds).map((group) => [group, finding(group, ...kinds)]);
    found.sort(
      (one, other) => (other[1][4] ?? Infinity) - (one[1][4] ?? Infinity) || (one[0].id < other[0].id ? -1 : 1),
    );
    if (!found.length) {
      nothingCard(title, none, 'none');
      return;
    }
    const longest = Math.max(1, ...found.map((one) => one[1][4] ?? 0));
    const known = (one) => one[1][4] !== null && one[1][4] !== undefined;
    const dated = found.filter(known).slice(0, 7);
    const undatedAll = found.filter((one) => !known(one));
    const undated = undatedAll.slice(0, 7);
    const heading = 'Unknown since when' + (undatedAll.length > 1 ? ': ' + plural(undatedAll.length, 'group') : '');
    const named = (group) => [group.id, ' ', el('span', { class: 'quiet' }, group.region || '')];
    card(
      '',
      title,
      words(found),
      el(
        'ul',
        { class: 'bars' },
        dated.map(([group, one]) => {
          const bar = el('i', { tone: tone(group) });
          bar.style.width = Math.max(2, (one[4] / longest) * 100) + '%';
          return el(
            'li',
            {},
            el('span', { class: 'name', title: group.id }, named(group)),
            el('span', { class: 'value' }, [note(group), duration(one[4])].filter(Boolean).join(' · ')),
            el('span', { class: 'track' }, bar),
          );
        }),
      ),
      undated.length ? el('h3', {}, heading) : null,
      undated.length
        ? el(
            'ul',
            { class: 'names' },
            undated.map(([group]) => el('li', { title: group.id }, named(group))),
          )
        : null,
      found.length > dated.length + undated.length
        ? el(
            'button',
            { class: 'more', type: 'button', click: () => choose('finding', kinds) },
            'All ' + number(found.length) + ' in the table',
          )
        : null,
    );
  }
  const longestOf = (found) => {
    const known = found.map((one) => one[1][4]).filter((days) => days !== null && days !== undefined);
    return known.length ? 'the longest for ' + duration(Math.max(...known)) : '';
  };
  listCard(
    'Unauthenticated access',
    ['open', 'optional'],
    (group) => group.mode,
    'No group is known to allow unauthenticated access.',
    longestOf,
  );
  listCard(
    'Rotations left half-way',
    ['rotating'],
    () => 'rotating',
    'No rotation is under way.',
    longestOf,
    (group) => (group.predating ? plural(group.predating, 'old connection') : ''),
  );

  listCard(
    'Changed by someone else (drift)',
    ['drift'],
    () => 'unknown',
    'No token was changed behind the record.',
    () => '',
  );
  function histogram() {
    const ages = groups.filter((group) => group.age !== null && group.age !== undefined).map((group) => group.age);
    if (!ages.length) {
      nothingCard('Age of tokens', 'No group has a token of known age.', 'quiet');
      return;
    }
    const limit = Math.floor(most);
    const edges = [...new Set([7, 30, 60, 90, 180, 365, limit])].filter((edge) => edge > 0).sort((a, b) => a - b);
    const bins = edges.map((edge, at) => ({ from: at ? edges[at - 1] + 1 : 0, to: edge, count: 0 }));
    bins.push({ from: edges[edges.length - 1] + 1, to: Infinity, count: 0 });
    for (const age of ages) bins.find((bin) => age <= bin.to).count += 1;
    const [width, height, base] = [620, 190, 160];
    const step = width / bins.length;
    const top = Math.max(...bins.map((bin) => bin.count));
    const label = (bin) =>
      bin.to === Infinity ? 'over ' + (bin.from - 1) : bin.from === bin.to ? String(bin.to) : bin.from + '–' + bin.to;
    const drawn = svg('svg', {
      class: 'histogram',
      viewBox: '0 0 ' + width + ' ' + height,
      role: 'img',
      'aria-label': 'Tokens by age in days: ' + bins.map((bin) => label(bin) + ': ' + bin.count).join(', '),
    });
    bins.forEach((bin, at) => {
      const tall = bin.count ? Math.max(3, (bin.count / top) * (base - 42)) : 0;
      const x = at * step + 5;
      drawn.append(svg('rect', { class: 'base', x: x, y: base - 1, width: step - 10, height: 1 }));
      const bar = svg('rect', {
        class: bin.from > limit ? 'over' : '',
        x: x,
        y: base - tall,
        width: step - 10,
        height: tall,
        rx: 3,
      });
      bar.append(svg('title', {}, label(bin) + ' days: ' + bin.count));
      drawn.append(bar);
      if (bin.count)
        drawn.append(svg('text', { class: 'count', x: at * step + step / 2, y: base - tall - 6 }, number(bin.count)));
      drawn.append(svg('text', { x: at * step + step / 2, y: base + 19 }, label(bin)));
    });
    const x = bins.findIndex((bin) => bin.from > limit) * step;
    drawn.append(svg('line', { x1: x, x2: x, y1: 4, y2: base }));
    drawn.append(svg('text', { class: 'limit', x: x + 6, y: 14 }, 'limit ' + most));
    const sorted = [...ages].sort((a, b) => a - b);
    card(
      'half',
      'Age of tokens, in days',
      'median ' +
        number(sorted[Math.floor((sorted.length - 1) / 2)]) +
        ', oldest ' +
        number(sorted[sorted.length - 1]),
      drawn,
    );
  }
  histogram();

  const lines = [...tally(groups.map((group) => group.line))].sort(
    (one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1),
  );
  const old = new Set(groups.filter((group) => group.tooOld).map((group) => group.line));
  card(
    'narrow',
    'Engines',
    old.size ? plural(having('engine_too_old').length, 'group') + ' too old' : 'none is too old',
    el(
      'ul',
      { class: 'bars' },
      lines.slice(0, 6).map(([line, count]) => {
        const bar = el('i', { tone: old.has(line) ? 'optional' : 'bar' });
        bar.style.width = (count / lines[0][1]) * 100 + '%';
        return el(
          'li',
          {},
          el('span', { class: 'name' }, line, old.has(line) ? el('span', { class: 'flag' }, '  ▲ too old') : null),
          el('span', { class: 'value' }, number(count)),
          el('span', { class: 'track' }, bar),
        );
      }),
    ),
    lines.length > 6 ? el('p', { class: 'quiet' }, 'and ' + plural(lines.length - 6, 'other version')) : null,
  );

  function openUsersCard(none, sure) {
    const found = having('no_password_users');
    const users = (group) => group.openUsers.slice(0, 2).join(', ') + (group.openUsers.length > 2 ? ' …' : '');
    const title = 'Users that need no password';
    if (!found.length) {
      nothingCard(title, none, sure ? 'none' : 'quiet');
      return;
    }
    card(
      'narrow',
      title,
      '',
      el(
        'ul',
        { class: 'bars' },
        found
          .slice(0, 6)
          .map((group) =>
            el(
              'li',
              {},
              el('span', { class: 'name', title: group.id }, group.id),
              el('span', { class: 'value' }, users(group)),
            ),
          ),
      ),
      found.length > 6
        ? el(
            'button',
            { class: 'more', type: 'button', click: () => choose('finding', ['no_password_users']) },
            'All ' + number(found.length) + ' in the table',
          )
        : null,
    );
  }
  const rbac = groups.filter((group) => group.mode === 'rbac');
  const unseen = rbac.filter((group) => !group.openUsers).length;
  openUsersCard(
    !rbac.length
      ? 'No group has user groups.'
      : unseen
        ? 'None is known; the users of ' + plural(unseen, 'group') + ' were not looked at.'
        : 'Every user of ' + plural(rbac.length, 'RBAC group') + ' needs one.',
    !unseen,
  );

  // --- The table -----------------------------------------------------------------------------------------------------

  const chosen = { mode: new Set(), finding: new Set(), region: new Set(), account: new Set(), engine: new Set() };
  const FACETS = [
    ['mode', 'Mode', (group) => [group.mode], (value) => MODE_WORDS[value], MODES],
    [
      'finding',
      'Finding',
      (group) => (group.kinds.length ? group.kinds : ['none']),
      (value) => KINDS[value],
      Object.keys(KINDS),
    ],
    ['region', 'Region', (group) => [group.region || ''], (value) => value || 'Not known'],
    ['account', 'Account', (group) => [group.account || ''], (value) => value || 'Not known'],
    ['engine', 'Engine', (group) => [group.line], (value) => value],
  ];
  const input = el('input', {
    type: 'search',
    id: 'filter',
    placeholder: 'Filter by id, tag, endpoint …',
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-label': 'Filter the groups',
    'aria-keyshortcuts': '/',
  });
  const shown = el('span', { class: 'shown', role: 'status', 'aria-live': 'polite', id: 'shown' });
  const clear = el(
    'button',
    {
      class: 'plain',
      type: 'button',
      hidden: true,
      id: 'clear',
      click: () => {
        for (const set of Object.values(chosen)) set.clear();
        input.value = '';
        update();
        input.focus();
      },
    },
    'Clear',
  );
  main.append(
    el(
      'section',
      { class: 'tools', id: 'groups' },
      el('h2', {}, 'Groups'),
      shown,
      clear,
      el('span', { class: 'search' }, input),
    ),
  );

  const chips = [];
  const facetList = el('dl', { class: 'facets' });
  for (const [name, title, values, word, order] of FACETS) {
    const counts = tally(groups.flatMap(values));
    const all = order
      ? order.filter((value) => counts.has(value))
      : [...counts.keys()].sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
    if (all.length < 2 && name !== 'mode' && name !== 'finding') continue;
    const row = el('dd', { role: 'group', 'aria-label': title });
    all.forEach((value, at) => {
      const count = el('i', {});
      const chip = el(
        'button',
        {
          class: 'chip',
          type: 'button',
          'aria-pressed': 'false',
          'data-facet': name,
          'data-value': value,
          hidden: at >= 14,
          title: word(value),
          click: () => {
            toggle(name, value);
          },
        },
        word(value),
        count,
      );
      chips.push({ name, value, chip, count });
      row.append(chip);
    });
    if (all.length > 14) {
      const more = el(
        'button',
        {
          class: 'more',
          type: 'button',
          click: () => {
            for (const chip of row.querySelectorAll('.chip')) chip.hidden = false;
            more.remove();
          },
        },
        number(all.length - 14) + ' more',
      );
      row.append(more);
    }
    facetList.append(el('dt', {}, title), row);
  }
  main.append(facetList);

  const TLS_ORDER = ['off', 'preferred', 'required'];
  const COLUMNS = [
    { id: 'id', title: 'Group', key: (group) => group.id },
    { id: 'findings', title: 'Findings', key: (group) => group.level * 100 - group.findings.length },
    { id: 'mode', title: 'Mode', key: (group) => MODES.indexOf(group.mode) },
    { id: 'age', title: 'Token age', key: (group) => group.age, number: true, down: true },
    { id: 'tls', title: 'TLS', key: (group) => (group.tls ? TLS_ORDER.indexOf(group.tls) : null) },
    { id: 'engine', title: 'Engine', key: (group) => group.engineName },
    { id: 'region', title: 'Region', key: (group) => group.region },
    { id: 'account', title: 'Account', key: (group) => group.account },
    { id: 'nodes', title: 'Nodes', key: (group) => group.nodes, number: true, down: true },
    { id: 'status', title: 'Status', key: (group) => group.status },
  ];
  let sorting = { column: COLUMNS[1], down: false };
  const heads = COLUMNS.map((column) =>
    el(
      'th',
      { scope: 'col', class: column.number ? 'number' : null, 'aria-sort': 'none', 'data-column': column.id },
      el(
        'button',
        {
          type: 'button',
          click: () => {
            sorting = { column, down: sorting.column === column ? !sorting.down : Boolean(column.down) };
            sort();
          },
        },
        column.title,
      ),
    ),
  );
  const body = el('tbody', {});
  const nothing = el(
    'p',
    { class: 'nothing-found', hidden: true },
    'No group matches. ',
    el('button', { class: 'more', type: 'button', click: () => clear.click() }, 'Show all'),
  );
  const table = el(
    'table',
    {},
    el('caption', { class: 'sr' }, 'All groups with what was found. The headers sort.'),
    el('thead', {}, el('tr', {}, heads)),
    body,
  );
  main.append(el('div', { class: 'scroll' }, table, nothing));

  const level = (kind) => (data.levels[kind] === 'notice' ? 'notice-level' : data.levels[kind]);
  function entry(list, title, value) {
    if (value === null || value === undefined || value === '' || (Array.isArray(value) && !value.length)) return;
    list.append(el('dt', {}, title), el('dd', {}, Array.isArray(value) ? value.join(', ') : String(value)));
  }
  function details(group) {
    const list = el('dl', {});
    entry(list, 'ARN', group.arn);
    entry(list, 'May be', group.mode === 'unknown' ? group.states : null);
    entry(list, 'Known by', group.evidence);
    entry(list, 'Token changed', group.date && moment(group.date));
    entry(list, 'Recorded', group.recorded && moment(group.recorded));
    entry(list, 'User groups', group.userGroups);
    entry(list, 'Without password', group.openUsers);
    entry(list, 'Under way', group.pending);
    entry(list, 'Global datastore', group.role);
    for (const [name, endpoint] of Object.entries(group.endpoints || {}))
      entry(list, name[0].toUpperCase() + name.slice(1) + ' endpoint', endpoint);
    entry(
      list,
      'Tags',
      Object.entries(group.tags || {}).map(([name, value]) => (value ? name + ' = ' + value : name)),
    );
    return el(
      'tr',
      { class: 'details' },
      el(
        'td',
        { colspan: COLUMNS.length },
        el(
          'ul',
          { class: 'what' },
          group.findings.map((one) =>
            el(
              'li',
              {},
              el('span', { class: 'finding ' + level(one[0]) }, KINDS[one[0]]),
              ' ',
              one[1],
              el('small', {}, '→ ' + data.next_steps[one[2]]),
            ),
          ),
        ),
        list,
      ),
    );
  }
  for (const group of groups) {
    const opener = el('button', {
      class: 'open-row',
      type: 'button',
      'aria-expanded': 'false',
      'aria-label': 'Details of ' + group.id,
    });
    opener.addEventListener('click', () => {
      if (group.details) {
        group.details.remove();
        group.details = null;
      } else {
        group.details = details(group);
        group.row.after(group.details);
      }
      opener.setAttribute('aria-expanded', String(Boolean(group.details)));
    });
    const name = group.url
      ? el(
          'a',
          { href: group.url, target: '_blank', rel: 'noopener noreferrer', title: 'In the AWS console' },
          group.id,
        )
      : el('b', {}, group.id);
    const over = group.kinds.includes('token_age');
    group.row = el(
      'tr',
      { class: 'row' },
      el(
        'td',
        {},
        el(
          'div',
          { class: 'group' },
          opener,
          el('div', {}, name, group.description ? el('small', {}, group.description) : null),
        ),
      ),
      el(
        'td',
        {},
        group.kinds.map((kind) => el('span', { class: 'finding ' + level(kind) }, KINDS[kind])),
        group.kinds.length ? null : el('span', { class: 'fine', title: 'In order' }, '✓'),
      ),
      el(
        'td',
        { class: 'tight' },
        el('span', { class: 'dot tone-' + group.mode, tone: group.mode }),
        MODE_WORDS[group.mode],
      ),
      el(
        'td',
        { class: 'number' + (over ? ' over' : '') },
        group.age === undefined || group.age === null ? '–' : duration(group.age).replace('under a day', '< 1 day'),
      ),
      el('td', { class: 'tight' }, group.tls || '–'),
      el('td', { class: 'tight' }, group.engineName || '–'),
      el('td', { class: 'tight' }, group.region || '–'),
      el('td', { class: 'tight' }, group.account || '–'),
      el('td', { class: 'number' }, group.nodes === undefined || group.nodes === null ? '–' : number(group.nodes)),
      el('td', { class: 'tight' }, group.status || '–'),
    );
  }

  const collator = new Intl.Collator('en', { numeric: true });
  function compare(one, other) {
    const missing = (value) => value === null || value === undefined || value === '';
    if (missing(one) || missing(other)) return Number(missing(one)) - Number(missing(other));
    return (typeof one === 'number' ? one - other : collator.compare(one, other)) * (sorting.down ? -1 : 1);
  }
  function sort() {
    const key = sorting.column.key;
    const sorted = [...groups].sort(
      (one, other) => compare(key(one), key(other)) || collator.compare(one.id, other.id),
    );
    const rows = document.createDocumentFragment();
    for (const group of sorted) {
      rows.append(group.row);
      if (group.details) rows.append(group.details);
    }
    body.append(rows);
    heads.forEach((head, at) =>
      head.setAttribute(
        'aria-sort',
        COLUMNS[at] === sorting.column ? (sorting.down ? 'descending' : 'ascending') : 'none',
      ),
    );
  }
  function update() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const counts = new Map();
    let visible = 0;
    for (const group of groups) {
      const found = words.every((word) => group.hay.includes(word));
      const missed = FACETS.filter(
        ([name, , values]) => chosen[name].size && !values(group).some((value) => chosen[name].has(value)),
      );
      const show = found && !missed.length;
      visible += show;
      group.row.hidden = !show;
      if (group.details) group.details.hidden = !show;
      // A chip tells what it would show beside the other facets' choices.
      if (!found || missed.length > 1) continue;
      for (const [name, , values] of FACETS) {
        if (missed.length && missed[0][0] !== name) continue;
        for (const value of values(group))
          counts.set(name + '\n' + value, (counts.get(name + '\n' + value) || 0) + 1);
      }
    }
    for (const { name, value, chip, count } of chips) {
      const matching = counts.get(name + '\n' + value) || 0;
      count.textContent = number(matching);
      chip.setAttribute('aria-pressed', String(chosen[name].has(value)));
      chip.classList.toggle('nothing', !matching);
    }
    for (const [button, kinds] of tileButtons) {
      button.setAttribute(
        'aria-pressed',
        String(kinds.length === chosen.finding.size && kinds.every((kind) => chosen.finding.has(kind))),
      );
    }
    const filtered = words.length > 0 || Object.values(chosen).some((set) => set.size);
    shown.textContent = filtered
      ? number(visible) + ' of ' + number(groups.length) + ' shown'
      : plural(groups.length, 'group');
    clear.hidden = !filtered;
    nothing.hidden = visible > 0;
  }
  function toggle(name, value) {
    if (!chosen[name].delete(value)) chosen[name].add(value);
    update();
  }
  function choose(name, values) {
    const same = values.length === chosen[name].size && values.every((value) => chosen[name].has(value));
    for (const set of Object.values(chosen)) set.clear();
    if (!same) for (const value of values) chosen[name].add(value);
    update();
    if (!same) $('groups').scrollIntoView({ behavior: 'smooth', block: 'start' });
  }
  input.addEventListener('input', update);
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && input.value) {
      input.value = '';
      update();
    }
  });
  document.addEventListener('keydown', (event) => {
    if (
      event.key !== '/' ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.target instanceof HTMLInputElement
    )
      return;
    event.preventDefault();
    input.focus();
  });
  sort();
  update();
})();
"""
