# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the audit's page looks: light, dark and printed.

The colours of the modes are those of Okabe and Ito, which people with any colour vision tell apart; no colour stands
alone, each has its word beside it.
"""

from __future__ import annotations

_LIGHT = """
  color-scheme: light;
  --ground: #f6f6f3; --card: #ffffff; --raised: #fbfbf9; --ink: #191b1f; --soft: #575d68; --faint: #7b818c;
  --line: #e2e2dd; --strong-line: #c9c9c2; --link: #0b5fa5; --focus: #0b5fa5; --mark: #e9f1f9;
  --open: #c93f0a; --optional: #e69f00; --rotating: #56b4e9; --required: #0072b2; --rbac: #009e73; --unknown: #9298a2;
  --critical: #b93506; --warning: #96640a; --notice: #575d68; --good: #00795a;
  --critical-ground: #fdf0ea; --warning-ground: #fdf6e3; --notice-ground: #f0f0ed; --bar: #6a7a8f;
"""
_DARK = """
  color-scheme: dark;
  --ground: #121418; --card: #1a1d22; --raised: #1f2329; --ink: #eceef1; --soft: #a8afba; --faint: #848c98;
  --line: #2b3037; --strong-line: #414852; --link: #7cbcf5; --focus: #7cbcf5; --mark: #1d2f42;
  --open: #f2643a; --optional: #f0b429; --rotating: #74c5f5; --required: #3b8fd0; --rbac: #2bb58c; --unknown: #7c838e;
  --critical: #ff8a63; --warning: #f2bd4a; --notice: #a8afba; --good: #4ccfa6;
  --critical-ground: #2e1c16; --warning-ground: #2b2412; --notice-ground: #23272e; --bar: #8594a8;
"""

STYLE = (
    ":root {" + _LIGHT + "}\n"
    "@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) {" + _DARK + "} }\n"
    ":root[data-theme=dark] {" + _DARK + "}\n"
    "@media print { :root, :root[data-theme=dark], :root:not([data-theme=light]) {" + _LIGHT + "} }\n"
    r"""
*,
*::before,
*::after {
  box-sizing: border-box;
}
[hidden] {
  display: none !important;
}
html {
  -webkit-text-size-adjust: 100%;
}
body {
  margin: 0;
  background: var(--ground);
  color: var(--ink);
  font:
    15px/1.5 system-ui,
    -apple-system,
    'Segoe UI',
    'Helvetica Neue',
    'Noto Sans',
    'Open Sans',
    Arial,
    sans-serif;
  font-variant-numeric: tabular-nums;
}
main,
header {
  max-width: 1440px;
  margin: 0 auto;
  padding: 0 28px;
}
a {
  color: var(--link);
  text-underline-offset: 2px;
}
button,
input {
  font: inherit;
  color: inherit;
}
button {
  cursor: pointer;
}
:focus-visible {
  outline: 2px solid var(--focus);
  outline-offset: 2px;
  border-radius: 4px;
}
h1,
h2,
h3,
p,
ul,
dl,
dd,
figure {
  margin: 0;
  padding: 0;
}
ul {
  list-style: none;
}
.quiet {
  color: var(--soft);
}
.sr {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

header {
  display: flex;
  align-items: center;
  gap: 16px;
  padding-top: 22px;
  padding-bottom: 14px;
  flex-wrap: wrap;
}
header h1 {
  font-size: 17px;
  font-weight: 650;
  letter-spacing: -0.005em;
  overflow-wrap: anywhere;
}
header .moment {
  color: var(--soft);
  font-size: 14px;
  margin-right: auto;
}
.plain {
  border: 1px solid var(--strong-line);
  background: var(--card);
  border-radius: 7px;
  padding: 4px 11px;
  font-size: 13.5px;
}
.plain:hover {
  background: var(--raised);
  border-color: var(--faint);
}

.verdict {
  padding: 12px 0 22px;
}
.verdict .headline {
  font-size: clamp(25px, 3.3vw, 36px);
  line-height: 1.18;
  font-weight: 640;
  letter-spacing: -0.02em;
}
.verdict .bad {
  color: var(--critical);
}
.verdict .fine {
  color: var(--good);
}
.verdict p + p {
  margin-top: 7px;
  color: var(--soft);
  font-size: 15.5px;
  max-width: 110ch;
}

.verdict .hint {
  border-left: 4px solid var(--warning);
  padding-left: 12px;
}
.verdict .hint code {
  color: var(--ink);
  white-space: nowrap;
}

.notice {
  border-left: 4px solid var(--warning);
  background: var(--warning-ground);
  border-radius: 0 8px 8px 0;
  padding: 11px 16px;
  margin-bottom: 14px;
}
.notice.failed {
  border-color: var(--critical);
  background: var(--critical-ground);
}
.notice h2 {
  font-size: 14.5px;
  font-weight: 650;
}
.notice li {
  overflow-wrap: anywhere;
  font-size: 14px;
}

.tiles {
  display: grid;
  grid-template-columns: repeat(6, 1fr);
  gap: 12px;
  margin-bottom: 12px;
}
.tile {
  text-align: left;
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 11px;
  padding: 13px 15px 11px;
  display: flex;
  flex-direction: column;
  min-width: 0;
}
button.tile:hover {
  border-color: var(--faint);
}
.tile b {
  display: block;
  font-size: 29px;
  line-height: 1.15;
  font-weight: 620;
  letter-spacing: -0.02em;
}
.tile span {
  display: block;
  color: var(--soft);
  font-size: 13.5px;
  line-height: 1.3;
  margin-top: 3px;
}
.tile.critical b {
  color: var(--critical);
}
.tile.warning b {
  color: var(--warning);
}
.tile[aria-pressed='true'] {
  border-color: var(--focus);
  box-shadow: inset 0 0 0 1px var(--focus);
}

.cards {
  display: flex;
  flex-wrap: wrap;
  /* Each as high as what it shows, not as the highest of its row. */
  align-items: flex-start;
  gap: 12px;
  margin-bottom: 12px;
}
.card {
  --part: 4;
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 11px;
  padding: 15px 18px 17px;
  min-width: 0;
  /* So many twelfths of the row, less the gaps; what is left of a row is shared. */
  flex: var(--part) 1 calc(var(--part) / 12 * 100% - 12px);
}
.card.wide {
  --part: 8;
}
.card.narrow {
  --part: 3;
}
.card.half {
  --part: 6;
}
.cards.rest {
  margin-bottom: 30px;
}
.cards.rest .card {
  flex: 1 1 auto;
  padding: 9px 18px;
  display: flex;
  flex-wrap: wrap;
  align-items: baseline;
  gap: 0 12px;
}
.cards.rest h2 {
  margin-bottom: 0;
}
.card h3 {
  font-size: 13px;
  font-weight: 400;
  color: var(--soft);
}
.card .bars + h3 {
  margin-top: 4px;
}
.names {
  display: flex;
  flex-wrap: wrap;
  gap: 0 16px;
  font-size: 14px;
}
.names li {
  min-width: 0;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.card h2 {
  font-size: 14px;
  font-weight: 650;
  display: flex;
  justify-content: space-between;
  gap: 10px;
  margin-bottom: 11px;
}
.card h2 small {
  font-weight: 400;
  color: var(--soft);
  font-size: 13px;
  text-align: right;
  white-space: nowrap;
}
.card .none {
  color: var(--soft);
  font-size: 14px;
}
.card .none::before {
  content: '✓ ';
  color: var(--good);
  font-weight: 700;
}

.stack {
  display: flex;
  gap: 2px;
  height: 30px;
  border-radius: 6px;
  overflow: hidden;
}
.stack > span {
  min-width: 4px;
  background: var(--tone);
}
.tone-unknown {
  background:
    repeating-linear-gradient(45deg, var(--unknown) 0 4px, transparent 4px 7px), var(--notice-ground) !important;
}
.legend {
  display: flex;
  flex-wrap: wrap;
  gap: 4px 20px;
  margin-top: 11px;
  font-size: 14px;
}
.legend button {
  border: 0;
  background: none;
  padding: 1px 3px;
  border-radius: 4px;
  margin: 0 -3px;
}
.legend button:hover {
  background: var(--mark);
}
.legend .plain-item {
  padding: 1px 0;
}
.legend b {
  font-weight: 620;
}
.dot {
  display: inline-block;
  width: 10px;
  height: 10px;
  border-radius: 3px;
  background: var(--tone);
  margin-right: 7px;
  vertical-align: -0.5px;
}

.bars li {
  display: grid;
  grid-template-columns: minmax(0, 1fr) auto;
  gap: 1px 12px;
  font-size: 14px;
  margin-bottom: 8px;
}
.bars .name {
  white-space: nowrap;
  overflow: hidden;
  text-overflow: ellipsis;
}
.bars .value {
  color: var(--soft);
  white-space: nowrap;
}
.bars .value.over {
  color: var(--critical);
}
.bars .track {
  grid-column: 1 / -1;
  height: 6px;
  background: var(--notice-ground);
  border-radius: 3px;
  overflow: hidden;
}
.bars .track i {
  display: block;
  height: 100%;
  min-width: 3px;
  background: var(--tone, var(--bar));
  border-radius: 3px;
}
.bars .flag {
  color: var(--warning);
  font-weight: 600;
}
.more {
  border: 0;
  background: none;
  color: var(--link);
  padding: 2px 0;
  font-size: 14px;
  text-decoration: underline;
  text-underline-offset: 2px;
}

.histogram {
  display: block;
  width: 100%;
  height: auto;
  max-height: 190px;
}
.histogram rect {
  fill: var(--required);
}
.histogram rect.over {
  fill: var(--optional);
}
.histogram rect.base {
  fill: var(--line);
}
.histogram text {
  fill: var(--soft);
  font-size: 12.5px;
  text-anchor: middle;
}
.histogram text.count {
  fill: var(--ink);
  font-weight: 620;
  font-size: 13.5px;
}
.histogram line {
  stroke: var(--critical);
  stroke-width: 1.5;
  stroke-dasharray: 4 3;
}
.histogram text.limit {
  fill: var(--critical);
  text-anchor: start;
}

.tools {
  display: flex;
  align-items: baseline;
  gap: 16px;
  flex-wrap: wrap;
  margin-bottom: 10px;
}
.tools h2 {
  font-size: 20px;
  font-weight: 640;
  letter-spacing: -0.01em;
}
.tools .shown {
  color: var(--soft);
  font-size: 14px;
}
.tools .search {
  margin-left: auto;
  position: relative;
}
.tools input {
  width: min(340px, 74vw);
  padding: 7px 12px;
  border: 1px solid var(--strong-line);
  border-radius: 8px;
  background: var(--card);
}
.tools input::placeholder {
  color: var(--faint);
  opacity: 1;
}
.facets {
  display: grid;
  grid-template-columns: max-content 1fr;
  gap: 6px 14px;
  margin-bottom: 14px;
  font-size: 13.5px;
  align-items: baseline;
}
.facets dt {
  color: var(--soft);
}
.facets dd {
  display: flex;
  flex-wrap: wrap;
  gap: 5px;
  min-width: 0;
}
.chip {
  border: 1px solid var(--strong-line);
  background: var(--card);
  border-radius: 99px;
  padding: 1px 11px;
  max-width: 100%;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}
.chip:hover {
  border-color: var(--faint);
  background: var(--raised);
}
.chip[aria-pressed='true'] {
  background: var(--ink);
  border-color: var(--ink);
  color: var(--card);
}
.chip i {
  font-style: normal;
  color: var(--soft);
  margin-left: 6px;
}
.chip[aria-pressed='true'] i {
  color: inherit;
  opacity: 0.75;
}
.chip.nothing:not([aria-pressed='true']) {
  opacity: 0.5;
}

.scroll {
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 11px;
  margin-bottom: 40px;
  overflow: clip;
}
table {
  border-collapse: collapse;
  table-layout: fixed;
  width: 100%;
  min-width: 1300px;
  font-size: 14px;
}
th[data-column='id'] {
  width: 240px;
}
th[data-column='mode'] {
  width: 122px;
}
th[data-column='age'] {
  width: 102px;
}
th[data-column='tls'] {
  width: 86px;
}
th[data-column='engine'] {
  width: 128px;
}
th[data-column='region'],
th[data-column='account'] {
  width: 124px;
}
th[data-column='nodes'] {
  width: 72px;
}
th[data-column='status'] {
  width: 94px;
}
th {
  position: sticky;
  top: 0;
  z-index: 1;
  background: var(--raised);
  text-align: left;
  font-weight: 600;
  font-size: 13px;
  padding: 0;
  box-shadow: inset 0 -1px 0 var(--strong-line);
  white-space: nowrap;
}
th button {
  width: 100%;
  border: 0;
  background: none;
  font-weight: 600;
  text-align: inherit;
  padding: 9px 8px;
  white-space: nowrap;
}
th button:hover {
  background: var(--mark);
}
th button:focus-visible {
  outline-offset: -2px;
}
th button::after {
  content: '↕';
  color: var(--faint);
  margin-left: 5px;
  font-size: 11px;
  opacity: 0.6;
}
th[aria-sort='ascending'] button::after {
  content: '↑';
  color: var(--ink);
  opacity: 1;
}
th[aria-sort='descending'] button::after {
  content: '↓';
  color: var(--ink);
  opacity: 1;
}
td {
  padding: 7px 8px;
  border-top: 1px solid var(--line);
  vertical-align: top;
}
tbody tr:first-child td {
  border-top: 0;
}
th:first-child button,
td:first-child {
  padding-left: 16px;
}
td.number {
  text-align: right;
  white-space: nowrap;
}
th.number {
  text-align: right;
}
td.tight {
  white-space: nowrap;
  overflow: hidden;
  text-overflow: ellipsis;
}
tr.row:hover td {
  background: var(--raised);
}
.group {
  display: flex;
  align-items: baseline;
  gap: 7px;
}
.group > div {
  min-width: 0;
}
.group a,
.group b {
  font-weight: 600;
  overflow-wrap: anywhere;
}
.group a {
  color: var(--ink);
  text-decoration-color: var(--strong-line);
}
.group a:hover {
  color: var(--link);
  text-decoration-color: currentcolor;
}
.group small {
  display: block;
  font-weight: 400;
  color: var(--soft);
  font-size: 12.5px;
  white-space: nowrap;
  overflow: hidden;
  text-overflow: ellipsis;
}
.open-row {
  flex: none;
  border: 0;
  background: none;
  padding: 0 3px;
  color: var(--soft);
  line-height: 1.4;
  border-radius: 4px;
}
.open-row::before {
  content: '▸';
  display: inline-block;
  transition: transform 0.12s;
}
.open-row[aria-expanded='true']::before {
  transform: rotate(90deg);
}
.finding {
  display: inline-block;
  border-radius: 5px;
  padding: 0 7px;
  margin: 0 4px 3px 0;
  font-size: 13px;
  white-space: nowrap;
}
.finding.critical {
  background: var(--critical-ground);
  color: var(--critical);
  font-weight: 600;
}
.finding.warning {
  background: var(--warning-ground);
  color: var(--warning);
}
.finding.notice-level {
  background: var(--notice-ground);
  color: var(--notice);
}
.finding.critical::before {
  content: '● ';
  font-size: 9px;
  vertical-align: 1.5px;
}
.finding.warning::before {
  content: '▲ ';
  font-size: 9px;
  vertical-align: 1px;
}
.finding.notice-level::before {
  content: '○ ';
  font-size: 9px;
  vertical-align: 1.5px;
}
td .fine {
  color: var(--good);
}
td.over {
  color: var(--warning);
  font-weight: 600;
}
.details > td {
  background: var(--raised);
  border-top: 0;
  padding: 4px 22px 16px 42px;
}
.details ul.what {
  margin-bottom: 10px;
  max-width: 100ch;
}
.details ul.what li {
  margin-top: 7px;
  overflow-wrap: anywhere;
}
.details ul.what small {
  display: block;
  color: var(--soft);
  font-size: 13.5px;
}
.details dl {
  display: grid;
  grid-template-columns: max-content minmax(0, 1fr);
  gap: 2px 16px;
  font-size: 13.5px;
}
.details dt {
  color: var(--soft);
}
.details dd {
  overflow-wrap: anywhere;
}
.nothing-found {
  padding: 34px 20px;
  text-align: center;
  color: var(--soft);
}
.empty {
  background: var(--card);
  border: 1px dashed var(--strong-line);
  border-radius: 12px;
  padding: 60px 28px;
  text-align: center;
  margin-bottom: 40px;
}
.empty p {
  color: var(--soft);
  max-width: 60ch;
  margin: 8px auto 0;
}
.empty h2 {
  font-size: 20px;
  font-weight: 640;
}

@media (max-width: 1356px) {
  .scroll {
    overflow-x: auto;
  }
  th {
    position: static;
  }
}
@media (max-width: 1080px) {
  .tiles {
    grid-template-columns: repeat(3, 1fr);
  }
  .card,
  .card.narrow {
    --part: 6;
  }
  .card.wide {
    --part: 12;
  }
}
@media (max-width: 700px) {
  main,
  header {
    padding-left: 16px;
    padding-right: 16px;
  }
  header {
    flex-wrap: nowrap;
    gap: 10px;
  }
  header h1 {
    min-width: 0;
    font-size: 16px;
    white-space: nowrap;
    overflow: hidden;
    text-overflow: ellipsis;
  }
  header .moment,
  header .plain {
    flex: none;
  }
  header .roomy,
  #print {
    display: none;
  }
  .tiles {
    grid-template-columns: repeat(2, 1fr);
  }
  .card,
  .card.half,
  .card.narrow {
    --part: 12;
  }
  .facets {
    grid-template-columns: 1fr;
    gap: 3px;
  }
  .tools .search {
    margin-left: 0;
  }
}
@media (prefers-reduced-motion: reduce) {
  * {
    transition: none !important;
    scroll-behavior: auto !important;
  }
}
@media print {
  @page {
    size: A4 landscape;
    margin: 12mm;
  }
  * {
    print-color-adjust: exact;
    -webkit-print-color-adjust: exact;
  }
  body {
    background: none;
    font-size: 11px;
  }
  main,
  header {
    max-width: none;
    padding-left: 0;
    padding-right: 0;
  }
  header button,
  .search,
  .facets,
  .open-row,
  .more,
  th button::after {
    display: none !important;
  }
  .tiles {
    grid-template-columns: repeat(6, 1fr);
  }
  .card {
    --part: 4;
  }
  .card.wide {
    --part: 8;
  }
  .card.half {
    --part: 6;
  }
  .card.narrow {
    --part: 3;
  }
  .card,
  .tile,
  .notice,
  tr {
    break-inside: avoid;
  }
  .scroll {
    border: 0;
    overflow: visible;
  }
  table,
  th,
  .finding,
  .group small {
    font-size: 10px;
  }
  table {
    table-layout: auto;
    min-width: 0;
  }
  th[data-column] {
    width: auto;
  }
  th {
    position: static;
  }
  thead {
    display: table-header-group;
  }
  td,
  th button {
    padding: 3px 6px;
  }
  a {
    color: inherit;
    text-decoration: none;
  }
}
"""
)
