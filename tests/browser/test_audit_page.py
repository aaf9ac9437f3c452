# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The audit's page in a real browser: a headless Chromium, at 0, 3 and 1,000 groups.

Where there is no browser these tests fail: ``make test`` installs one, and ``tools/install_browser.py`` says what is
wrong.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from browser.fleets import HOSTILE, NOW, ago, group, hostile, many, three, users
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from ansible_collections.elasticache.auth.plugins.module_utils._core import posture
from ansible_collections.elasticache.auth.plugins.module_utils._report import document, page

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FOUND = REPOSITORY / ".cache" / "browser" / "browser.json"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: The figure of issue 4: bytes at 1,000 groups.
MOST_BYTES = 2_000_000


@dataclass
class Opened:
    """A page in the browser, with what went wrong in it and what it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def rows(self) -> list[str]:
        """The ids in the table, as they are shown."""
        found: list[str] = self.page.eval_on_selector_all(
            "tr.row:not([hidden])", "rows => rows.map(row => row.querySelector('.group a, .group b').textContent)"
        )
        return found

    def chip(self, facet: str, value: str) -> Any:
        return self.page.locator(f'.chip[data-facet="{facet}"][data-value="{value}"]')

    def head(self, column: str) -> Any:
        return self.page.locator(f'th[data-column="{column}"]')

    def sorted(self) -> dict[str, str]:
        """The columns that say that they are sorted, and how."""
        found: dict[str, str] = self.page.eval_on_selector_all(
            "th", "heads => Object.fromEntries(heads.map(h => [h.dataset.column, h.getAttribute('aria-sort')]))"
        )
        return {name: how for name, how in found.items() if how != "none"}


# Not for the session: while it runs, no other test of this process could use asyncio.
@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not FOUND.exists():
        pytest.fail(
            f"There is no browser: {FOUND} is missing. Run make test, or .venv/bin/python tools/install_browser.py "
            ".cache/browser, which says what is wrong."
        )
    found = json.loads(FOUND.read_text("utf-8"))
    home = tmp_path_factory.mktemp("browser-home")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=found["program"],
            args=list(FLAGS),
            env={**os.environ, "HOME": str(home), **found["environment"]},
        )
        yield running
        running.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """A function that opens the page about groups. At the end nothing may have gone wrong, or been asked for."""
    opened: list[Opened] = []

    def open_page(groups: list[dict[str, Any]], *, found: list[dict[str, Any]] | None = None, **more: Any) -> Opened:
        file = tmp_path / "audit.html"
        file.write_text(render(groups, found or [], **more), encoding="utf-8")
        context = browser.new_context(
            color_scheme=more.get("scheme", "light"), viewport={"width": more.get("width", 1440), "height": 1000}
        )
        tab = context.new_page()
        one = Opened(tab)
        opened.append(one)

        def complain(message: ConsoleMessage) -> None:
            one.complaints.append(message.text)

        tab.on("console", complain)
        tab.on("pageerror", lambda error: one.complaints.append(str(error)))
        tab.on("request", lambda request: one.requests.append(request.url))
        tab.goto(file.as_uri())
        return one

    yield open_page
    for one in opened:
        assert one.complaints == []
        assert [url for url in one.requests if not url.startswith(("file:///", "data:"))] == []
        assert sum(url.startswith("file:///") for url in one.requests) == 1
        one.page.context.close()


def render(
    groups: list[dict[str, Any]],
    found: list[dict[str, Any]],
    *,
    title: str = "ElastiCache access audit",
    incomplete: tuple[str, ...] = (),
    fail_on: tuple[str, ...] = (),
    **_others: object,
) -> str:
    audited = posture.audit(posture.read_all(groups), NOW, 90, posture.read_users(found))
    conditions = [posture.parse_condition(text) for text in fail_on]
    return page.page(
        document.Report(
            title=title,
            moment=NOW,
            max_token_age_days=90.0,
            audited=audited,
            counts=posture.count(audited),
            incomplete=incomplete,
            failed=posture.check(conditions, audited, incomplete),
        )
    )


Show = Callable[..., Opened]


def test_no_groups(show: Show) -> None:
    opened = show([])
    assert opened.page.inner_text(".empty h2") == "No groups"
    assert opened.page.locator("table").count() == 0
    assert "as of 22 Nov 2026, 15:04 UTC" in opened.page.inner_text("header")
    opened = show([], incomplete=("us-east-1: refused.",))
    assert "not all could be looked at" in opened.page.inner_text(".empty")
    assert "us-east-1: refused." in opened.page.inner_text(".notice.incomplete")


def test_three_groups(show: Show) -> None:
    opened = show(three(), fail_on=("open",))
    tab = opened.page
    assert tab.inner_text(".headline") == "2 of 3 groups allow unauthenticated access."
    assert tab.inner_text("#verdict") == "2 of 3 groups allow unauthenticated access.\n\n1 is in order."
    assert re.sub(r"\s+", " ", tab.inner_text(".notice.failed li")) == (
        "open 1 group: search (eu-central-1, 123456789012)"
    )
    tiles = {text.split("\n")[1]: text.split("\n")[0] for text in tab.locator(".tile").all_inner_texts()}
    assert (tiles["groups"], tiles["unauthenticated access"], tiles["half-way rotations"]) == ("3", "2", "0")
    unauthenticated = tab.locator(".card", has_text="Unauthenticated access").inner_text()
    assert "carts us-east-1\n41 days" in unauthenticated
    assert "Unknown since when\nsearch eu-central-1" in unauthenticated
    assert opened.rows() == ["search", "carts", "sessions"]
    assert "too old" in tab.locator(".card", has_text="Engines").inner_text()
    label = tab.locator("svg.histogram").get_attribute("aria-label")
    assert label is not None
    assert "8–30: 1, 31–60: 1, 61–90: 0" in label


def test_everything_in_order(show: Show) -> None:
    opened = show([group("a", age=1), group("b", "rbac")], found=users())
    assert opened.page.inner_text(".headline") == "No group allows unauthenticated access."
    assert opened.page.locator(".card .none").count() == 4
    opened = show([group("a", None)])
    assert opened.page.inner_text(".headline") == "No group is known to allow unauthenticated access."


def test_details_of_a_group(show: Show) -> None:
    opened = show(three())
    tab = opened.page
    button = tab.get_by_role("button", name="Details of carts")
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    told = tab.inner_text("tr.details")
    assert "Unauthenticated access is allowed, for 41 days" in told
    assert "→ elasticache.auth.enable_auth finishes it" in told
    assert "team = shop" in told
    assert "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:carts" in told
    opened.head("id").get_by_role("button").click()
    assert tab.eval_on_selector("tr.details", "row => row.previousSibling.textContent").startswith("carts")
    button.click()
    assert tab.locator("tr.details").count() == 0


def test_links_to_the_console_leave_nothing_behind(show: Show) -> None:
    opened = show(three())
    link = opened.page.get_by_role("link", name="carts")
    assert link.get_attribute("href") == (
        "https://us-east-1.console.aws.amazon.com/elasticache/home?region=us-east-1#/valkey/carts"
    )
    assert link.get_attribute("rel") == "noopener noreferrer"


def test_sorts_by_each_column_with_the_keyboard(show: Show) -> None:
    opened = show(many(60), found=users())
    columns = opened.page.eval_on_selector_all("th", "heads => heads.map(head => head.dataset.column)")
    assert len(columns) == 10
    assert opened.sorted() == {"findings": "ascending"}
    for column in columns:
        opened.head(column).get_by_role("button").focus()
        opened.page.keyboard.press("Enter")
        first = opened.sorted()
        assert list(first) == [column]
        before = opened.rows()
        opened.page.keyboard.press("Space")
        assert opened.sorted() == {column: "descending" if first[column] == "ascending" else "ascending"}
        assert sorted(opened.rows()) == sorted(before)
    opened.head("id").get_by_role("button").click()
    assert opened.rows() == sorted(opened.rows())
    opened.head("age").get_by_role("button").click()
    ages = opened.page.eval_on_selector_all("tr.row", "rows => rows.map(row => row.children[3].textContent)")
    numbers = [0 if "<" in age else int(age.split()[0]) for age in ages if age != "–"]
    assert numbers == sorted(numbers, reverse=True)
    assert ages[len(numbers) :] == ["–"] * (len(ages) - len(numbers))


def test_filters(show: Show) -> None:
    opened = show(many(200), found=users())
    tab = opened.page
    assert tab.inner_text("#shown") == "200 groups"
    assert tab.locator("#clear").is_hidden()
    tab.keyboard.press("/")
    tab.keyboard.type("CHECKOUT us-east-1")
    rows = opened.rows()
    assert 0 < len(rows) < 50
    assert all("checkout" in row for row in rows)
    assert tab.inner_text("#shown") == f"{len(rows)} of 200 shown"
    # A chip tells how many it would leave.
    assert opened.chip("region", "us-east-1").inner_text().split("\n")[-1].endswith(str(len(rows)))
    assert "nothing" in (opened.chip("region", "eu-central-1").get_attribute("class") or "")
    tab.keyboard.press("Escape")
    assert len(opened.rows()) == 200
    tab.fill("#filter", "no such group")
    assert opened.rows() == []
    tab.get_by_role("button", name="Show all").click()
    assert len(opened.rows()) == 200
    assert tab.evaluate("document.activeElement.id") == "filter"


def test_facets(show: Show) -> None:
    fleet = many(200)
    opened = show(fleet, found=users())
    by_mode = [one["elasticache_mode"] for one in fleet]
    opened.chip("mode", "open").click()
    assert opened.chip("mode", "open").get_attribute("aria-pressed") == "true"
    assert len(opened.rows()) == by_mode.count("open")
    opened.chip("mode", "optional").focus()
    opened.page.keyboard.press("Enter")
    assert len(opened.rows()) == by_mode.count("open") + by_mode.count("optional")
    opened.chip("region", "us-east-1").click()
    wanted = [
        one["replication_group_id"]
        for one in fleet
        if one["elasticache_mode"] in ("open", "optional") and one["elasticache_region"] == "us-east-1"
    ]
    assert sorted(opened.rows()) == sorted(wanted)
    opened.page.locator("#clear").click()
    assert len(opened.rows()) == 200
    for facet, value in (("account", "210987654321"), ("engine", "Valkey 8.1"), ("finding", "none")):
        opened.chip(facet, value).click()
        assert 0 < len(opened.rows()) < 200
        opened.chip(facet, value).click()
    assert len(opened.rows()) == 200


def test_figures_lead_to_the_table(show: Show) -> None:
    fleet = many(200)
    opened = show(fleet, found=users())
    unauthenticated = sum(one["elasticache_mode"] in ("open", "optional") for one in fleet)
    tile = opened.page.get_by_role("button", name=f"{unauthenticated} unauthenticated access")
    tile.click()
    assert len(opened.rows()) == unauthenticated
    assert tile.get_attribute("aria-pressed") == "true"
    for dummy in range(100):  # it scrolls there smoothly
        if opened.page.locator("#groups").evaluate("element => element.getBoundingClientRect().top") < 600:
            break
        opened.page.wait_for_timeout(50)
    else:
        pytest.fail("the table was not scrolled to")
    tile.click()
    assert len(opened.rows()) == 200


def background(opened: Opened) -> str:
    return str(opened.page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_light_and_dark(show: Show) -> None:
    light, dark = show(three()), show(three(), scheme="dark")
    assert background(light) != background(dark)
    bright, night = background(light), background(dark)
    light.page.locator("#theme").click()
    assert background(light) == night
    light.page.reload()
    light.requests.pop()
    assert background(light) == night
    light.page.locator("#theme").click()
    assert background(light) == bright
    dark.page.locator("#theme").click()
    assert background(dark) == bright


def contrast(opened: Opened, selector: str) -> float:
    """The contrast of a text with what is behind it, as WCAG counts it."""
    return float(
        opened.page.eval_on_selector(
            selector,
            """element => {
              const parse = (text) => text.match(/[\\d.]+/g).map(Number);
              const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
                .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
                .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
              let behind = element;
              while (behind && parse(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
              const [a, b] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor]
                .map(text => light(parse(text))).sort((x, y) => y - x);
              return (a + 0.05) / (b + 0.05);
            }""",
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(show: Show, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for texts, 3 to 1 for large ones."""
    opened = show(many(100), found=users(), scheme=scheme, incomplete=("x",), fail_on=("open",))
    opened.page.locator(".open-row").first.click()
    texts = (
        ".moment",
        ".plain",
        "#verdict p + p",
        ".tile span",
        ".legend .quiet",
        ".bars .value",
        ".bars .flag",
        ".chip i",
        ".finding.critical",
        ".finding.warning",
        ".finding.notice-level",
        ".group small",
        "td.over",
        ".details small",
        ".details dt",
        ".notice li",
        ".more",
    )
    assert {text: round(contrast(opened, text), 1) for text in texts if contrast(opened, text) < 4.5} == {}
    assert contrast(opened, ".headline .bad") >= 3


def test_print(show: Show) -> None:
    opened = show(many(100), found=users(), scheme="dark")
    tab = opened.page
    tab.locator(".open-row").first.click()
    opened.chip("mode", "rbac").click()
    tab.emulate_media(media="print", color_scheme="dark")
    for hidden in ("#theme", "#print", ".facets", "#filter", ".open-row"):
        assert not tab.locator(hidden).first.is_visible(), hidden
    assert tab.locator("svg.histogram").is_visible()
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(25, 27, 31)"
    assert tab.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
    assert tab.pdf(prefer_css_page_size=True, print_background=True).startswith(b"%PDF")


def test_what_others_wrote_stays_text(show: Show) -> None:
    opened = show(hostile(), title=HOSTILE[1], incomplete=HOSTILE, fail_on=("not_available", "incomplete"))
    tab = opened.page
    for button in tab.locator(".open-row").all():
        button.click()
    assert tab.title() == HOSTILE[1]
    assert tab.inner_text("h1") == HOSTILE[1]
    assert tab.locator("img, main svg:not(.histogram)").count() == 0
    assert tab.locator("script").count() == 2
    assert tab.evaluate("typeof owned") == "undefined"
    seen = tab.eval_on_selector_all(".group small", "all => all.map(one => one.textContent)")
    assert sorted(seen) == sorted(HOSTILE)
    assert tab.locator("main a").count() == 0  # none of those regions is one
    shown = tab.inner_text("main")
    assert all(f"{text} = {text}" in shown for text in HOSTILE[:3])
    for text in HOSTILE[:3]:
        tab.fill("#filter", text)
        assert len(opened.rows()) >= 1


def test_the_policy_forbids_every_request(show: Show) -> None:
    """Even a script of the page's own could not ask for anything."""
    opened = show(three())
    refused = opened.page.evaluate(
        """async () => {
          const said = [];
          document.addEventListener('securitypolicyviolation', event => said.push(event.effectiveDirective));
          await fetch('https://example.com/').catch(() => null);
          const image = new Image();
          await new Promise(done => { image.onerror = done; image.src = 'https://example.com/x.png'; });
          const script = document.createElement('script');
          script.textContent = 'window.injected = true';
          document.body.append(script);
          document.body.setAttribute('style', 'color: red');
          await new Promise(done => setTimeout(done, 50));
          return [said, typeof window.injected];
        }"""
    )
    assert sorted(refused[0]) == ["connect-src", "img-src", "script-src-elem", "style-src-attr"]
    assert refused[1] == "undefined"
    opened.complaints.clear()  # the browser tells of each
    opened.requests[:] = [url for url in opened.requests if "example.com" not in url]


def test_a_thousand_groups(show: Show, tmp_path: Path) -> None:
    """Time is printed, not asserted."""
    opened = show(many(), found=users(), fail_on=("open",))
    tab = opened.page
    size = (tmp_path / "audit.html").stat().st_size
    assert size < MOST_BYTES
    assert len(opened.rows()) == 1000
    timing = tab.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    took = tab.evaluate(
        """() => {
          const best = {};
          const quick = (name, work) => {
            const begun = performance.now();
            work();
            document.body.getBoundingClientRect();
            best[name] = Math.min(best[name] ?? Infinity, performance.now() - begun);
          };
          const input = document.getElementById('filter');
          const type = (text) => { input.value = text; input.dispatchEvent(new Event('input')); };
          for (let turn = 0; turn < 3; turn += 1) {
            quick('filter', () => type('checkout'));
            quick('clear', () => type(''));
            quick('facet', () => document.querySelector('.chip[data-facet=mode]').click());
            quick('facet off', () => document.querySelector('.chip[data-facet=mode]').click());
            quick('sort', () => document.querySelector('th[data-column=age] button').click());
          }
          return best;
        }"""
    )
    rounded = {name: round(milliseconds) for name, milliseconds in took.items()}
    print(f"1,000 groups: {size} bytes, loaded in {timing:.0f} ms, {rounded} ms")  # noqa: T201


def test_what_is_unknown_since_when_is_told_once(show: Show) -> None:
    groups = [group(f"open-{number}", "open") for number in range(9)]
    card = show([*groups, group("dated", "open", recorded_at=ago(3))]).page.locator(
        ".card", has_text="Unauthenticated access"
    )
    text = card.inner_text()
    assert text.lower().count("since when") == 1
    assert "dated eu-central-1\n3 days" in text
    assert "Unknown since when: 9 groups\nopen-0 eu-central-1" in text
    assert "All 10 in the table" in text


def test_a_card_without_content_is_a_line(show: Show) -> None:
    tab = show([group("sessions", age=1)]).page
    assert tab.locator(".cards:not(.rest) .card h2").all_inner_texts() == [
        "Access control\n1 group by mode",
        "Encryption in transit",
        "Age of tokens, in days\nmedian 1, oldest 1",
        "Engines\nnone is too old",
    ]
    rest = tab.locator(".cards.rest .card")
    assert rest.count() == 4
    heights = rest.evaluate_all("cards => cards.map(card => card.offsetHeight)")
    assert max(heights) < 60


def test_a_card_is_as_high_as_what_it_shows(show: Show) -> None:
    """Not as the highest of its row: little is shown of drift beside many open groups."""
    tab = show(many(120), width=1360).page
    boxes = [tab.locator(".card", has_text=title).bounding_box() for title in ("Unauthenticated access", "(drift)")]
    high, low = [box for box in boxes if box]
    assert low["y"] == high["y"]
    empty = tab.locator(".card", has_text="(drift)").evaluate(
        "card => card.getBoundingClientRect().bottom - card.lastElementChild.getBoundingClientRect().bottom"
    )
    assert empty < 30
    assert low["height"] < high["height"]


def test_connections_that_predate_the_token_of_a_rotation(show: Show) -> None:
    """Counted in the card and told in the row; none is not shown in the card, and unknown is not taken for none."""
    told = {"summary": "8 connections from 1 address predate the new token: 10.0.3.17 (<b>jedis) x8", "predating": 8}
    fleet = [
        group("carts", "rotating", age=4, client_connections=told),
        group("mail", "rotating", age=3, client_connections={"summary": "no connection predates it", "predating": 0}),
        group("stock", "rotating", age=2, client_connections={"error": "out of reach", "predating": None}),
    ]
    opened = show(fleet)
    card = opened.page.locator(".card", has_text="Rotations left half-way")
    assert card.locator(".value").all_inner_texts() == ["8 old connections · 4 days", "3 days", "2 days"]
    opened.page.locator("tr.row", has_text="carts").locator("button").first.click()
    assert f"{told['summary']}." in opened.page.inner_text("table")


@pytest.mark.parametrize(
    ("facts", "hint"),
    [
        ({}, True),
        ({"evidence": ["api", "nodes"]}, False),
        ({"status": "modifying", "pending": "auth token"}, False),
        ({"serverless": True, "user_group_ids": None}, False),
    ],
)
def test_the_hint_that_nodes_can_be_asked_stands_at_the_top(show: Show, facts: dict[str, Any], hint: bool) -> None:
    hints = show([group("stock", None, **facts)]).page.locator("#verdict .hint")
    told = (
        "The nodes of 1 group can tell whether unauthenticated access is allowed: run the audit from within their "
        "VPC with audit_probe: auto."
    )
    assert hints.all_inner_texts() == [told] * hint


def test_no_mode_is_cut_at_1360(show: Show) -> None:
    tab = show([group(f"g{mode}", mode, age=1) for mode in (None, "rbac", "required", "optional")], width=1360).page
    cut = """cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth).map(cell => cell.textContent)"""
    assert tab.eval_on_selector_all("tr.row td.tight", cut) == []


def test_the_header_is_one_row_on_a_phone(show: Show) -> None:
    for title in ("ElastiCache access audit", "The access control of all of the caches of the shop " * 3):
        tab = show(three(), width=390, title=title).page
        assert tab.evaluate("document.querySelector('header').offsetHeight") < 80
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("width", [360, 800, 1440])
def test_fits_the_window(show: Show, width: int) -> None:
    """Nothing but the table is scrolled sideways."""
    opened = show(many(50), found=users(), width=width, incomplete=("x" * 300,))
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_javascript(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "audit.html"
    file.write_text(render(three(), []), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(file.as_uri())
    assert "2 of 3 groups allow unauthenticated access." in tab.inner_text("#verdict")
    context.close()
