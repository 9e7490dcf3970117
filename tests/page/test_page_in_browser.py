"""The live page in Chromium, shown what a test makes up: many addresses, keys, hostile names."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from duravip_api.reasons import State
from duravip_operator.core.snapshot import ReadinessKey
from duravip_operator.page import LivePage, viewers
from page import axe
from page.chromium import PHONE, WIDE, Browser
from unit.operator.page_world import PageWorld, moved, owned

MANY = 10_240
ENTER, ESCAPE, DOWN, END = "\ue007", "\ue00c", "\ue015", "\ue010"
HOSTILE = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
SHOWN = "return document.getElementById('shown').textContent.replaceAll('\\u202f', '')"
ROWS = "return document.querySelectorAll('#canvas .row').length"
IS_DRAWN = """
return [...document.querySelectorAll('#canvas .row .address')].some(
  (cell) => cell.textContent === arguments[0]);
"""
IS_OWNED = """
return [...document.querySelectorAll('#canvas .row')].some((row) =>
  row.querySelector('.address').textContent === arguments[0]
  && row.dataset.owner === arguments[1]);
"""
SCROLL = """
const grid = document.getElementById('grid');
const frame = () => new Promise((done) => requestAnimationFrame(done));
return (async () => {
  let most = 0;
  let blank = 0;
  for (let step = 0; step <= 100; step += 1) {
    grid.scrollTop = ((grid.scrollHeight - grid.clientHeight) * step) / 100;
    await frame();
    await frame();
    most = Math.max(most, document.getElementsByTagName('*').length);
    const box = grid.getBoundingClientRect();
    const middle = document.elementFromPoint(box.left + 60, box.top + box.height * 0.7);
    blank += !middle.closest('.row');
  }
  return [most, blank];
})();
"""


@pytest.fixture
def world() -> PageWorld:
    return PageWorld(30)


@pytest.fixture
def page(world: PageWorld) -> Iterator[LivePage]:
    page = LivePage("127.0.0.1:0", world)
    page.start()
    yield page
    page.stop()


def show(window: Browser, page: LivePage, size: tuple[int, int] = WIDE) -> None:
    """Open the page, and wait until it has been told all."""
    window.look(size)
    window.open(f"http://127.0.0.1:{page.port}/")
    window.complaints()  # of the page before this one, which has ended
    window.wait_for("return document.querySelector('#verdict').dataset.level !== 'none'")
    window.wait_for(ROWS)


def test_ten_thousand_addresses_scroll(window: Browser) -> None:
    world = PageWorld(MANY)
    page = LivePage("127.0.0.1:0", world)
    page.start()
    try:
        show(window, page)
        window.wait_for(f"{SHOWN} === '{MANY}'")
        assert window.run(ROWS) < 60
        most, blank = window.run(SCROLL)
        print(f"{MANY} addresses: at most {most} elements in the document")
        assert most < 1500
        assert blank == 0
        window.wait_for(IS_DRAWN, "10.1.40.255")
        world.put(moved(MANY - 1, "n1", "n3"))
        window.wait_for(IS_OWNED, "10.1.40.255", "n3")
        window.press("/", *"10.1.40.25")
        window.wait_for(f"{SHOWN} === '7 of {MANY}'")
        assert window.complaints() == []
    finally:
        page.stop()


def test_what_changes_is_shown_where_it_is(
    window: Browser, page: LivePage, world: PageWorld
) -> None:
    show(window, page)
    assert window.run("return document.body.classList.contains('lanes')")
    assert "All 30 addresses served" in window.run("return document.body.innerText")
    window.wait_for(IS_OWNED, "10.1.1.1", "n2")
    world.put(moved(1, "n2", "n3"))
    window.wait_for(IS_OWNED, "10.1.1.1", "n3")
    window.wait_for(
        "return document.querySelector('#tape .new strong')?.textContent === '10.1.1.1'"
    )
    world.silence("n2")
    window.wait_for("return document.querySelector('[data-node=n2]').dataset.state === 'silent'")
    window.wait_for("return document.getElementById('verdict').textContent === 'n2 is silent'")
    world.put(owned(4, "", state=State.UNASSIGNED))
    window.wait_for(
        "return document.getElementById('verdict').textContent === "
        "'n2 is silent, 1 of 30 addresses not served'"
    )
    world.operator = {**world.operator, "leader": "", "leads": False}
    window.wait_for(
        "return document.getElementById('verdict').textContent.startsWith('Nobody leads')"
    )
    del world.vips["u4"]
    window.wait_for(f"{SHOWN} === '29'")
    assert window.complaints() == []


def test_the_keyboard_reaches_everything(window: Browser, page: LivePage) -> None:
    show(window, page)
    window.press("/", *"v2")
    window.wait_for(f"{SHOWN} === '11 of 30'")  # v2 and v20 to v29
    window.press(ENTER, DOWN, DOWN)
    window.wait_for(
        "return document.activeElement.getAttribute('aria-activedescendant') === 'row-1'"
    )
    window.press(ENTER)
    title = "return document.querySelector('dialog[open] h2')?.textContent === arguments[0]"
    window.wait_for(title, "DuraVIP default/v20")
    window.press(ESCAPE)
    window.wait_for("return document.querySelector('dialog[open]') === null")
    window.press(END, ENTER)
    window.wait_for(title, "DuraVIP default/v29")
    window.press(ESCAPE)
    assert window.complaints() == []


def test_a_node_chosen_by_its_card_shows_its_addresses(window: Browser, page: LivePage) -> None:
    show(window, page)
    window.run("document.querySelector('[data-node=n1]').click()")
    window.wait_for(f"{SHOWN} === '10 of 30'")
    window.run("document.getElementById('owner').click()")
    window.wait_for(f"{SHOWN} === '30'")


def test_names_are_text_whatever_they_say(window: Browser, world: PageWorld) -> None:
    hostile = replace(
        moved(0, HOSTILE, HOSTILE),
        namespace=HOSTILE,
        name=HOSTILE,
        preference=HOSTILE,
        follow=HOSTILE,
        services=frozenset({("TCP/25", HOSTILE)}),
        readiness=frozenset({ReadinessKey("endpointsOf", HOSTILE)}),
    )
    ready = {"type": "Ready", "status": "False", "reason": HOSTILE, "message": HOSTILE}
    unsafe = {"type": HOSTILE, "status": "True", "reason": HOSTILE, "message": HOSTILE}
    told = {
        "flags": HOSTILE,
        "state": HOSTILE,
        "conditions": [ready, unsafe],
        "interface": HOSTILE,
    }
    world.put(replace(hostile, status={**hostile.status, **told}))
    world.plumbings[HOSTILE] = replace(world.plumbings["n1"], unready=(HOSTILE, HOSTILE))
    world.operator |= {"leader": HOSTILE, "replica": HOSTILE, "version": HOSTILE}
    page = LivePage("127.0.0.1:0", world)
    page.start()
    try:
        show(window, page)
        window.run("document.querySelector('#canvas .row').click()")
        window.wait_for("return document.querySelector('dialog[open]') !== null")
        text = window.run("return document.querySelector('dialog').innerText")
        assert text.count(HOSTILE) > 5
        window.wait_for("return document.querySelectorAll('.card').length === 4")
        assert window.run("return document.images.length") == 1  # the page's own
        assert window.run("return document.scripts.length") == 1
        assert window.run("return window.hacked === undefined")
        assert window.complaints() == []
    finally:
        page.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_people_with_disabilities_can_use_it(
    window: Browser, page: LivePage, world: PageWorld, size: tuple[int, int], scheme: str
) -> None:
    flagged = {"type": "Unsafe", "status": "True", "reason": "ListenersDiffer", "message": "m"}
    world.put(
        owned(2, "n3", flags="Unsafe", conditions=[flagged]),
        replace(owned(3, "n1"), preference="n2", follow="10.1.1.1"),
        owned(4, "", state=State.UNASSIGNED),
        owned(5, "", state=State.UNMANAGED),
        owned(6, "n1", state=State.MOVING),
        moved(7, "n2", "n1"),
    )
    world.silence("n2")
    show(window, page, size)
    window.look(size, scheme)
    window.devtools("Page.setBypassCSP", enabled=True)  # for axe alone, which is put into it
    window.open(f"http://127.0.0.1:{page.port}/")
    window.wait_for(ROWS)
    window.wait_for("return document.getElementById('verdict').dataset.level === 'bad'")
    try:
        assert axe.violations(window) == []
        window.run("document.querySelector('h1 img').removeAttribute('alt')")
        assert "image-alt" in str(axe.violations(window))  # it does find faults
        window.run("document.querySelector('h1 img').alt = ''")
        window.run("document.querySelector('#canvas .row').click()")
        assert axe.violations(window) == []
        window.run("document.querySelector('dialog').close()")
        for part in ("nodes", "moves", "segments") if size == PHONE else ():
            window.run(f"document.querySelector('nav [data-part={part}]').click()")
            assert axe.violations(window) == []
        page.stop()
        window.wait_for("return !document.getElementById('gone').hidden")
        assert axe.violations(window) == []
    finally:
        window.devtools("Page.setBypassCSP", enabled=False)


def test_a_phone_shows_one_part_at_a_time_and_nothing_sticks_out(
    window: Browser, page: LivePage
) -> None:
    show(window, page, PHONE)
    seen = "return [...document.querySelectorAll('main section')].filter((s) => s.offsetHeight)"
    for part in ("addresses", "nodes", "moves", "segments"):
        window.run(f"document.querySelector('nav [data-part={part}]').click()")
        assert window.run(f"{seen}.map((s) => s.id)") == [part]
        assert window.run("return document.documentElement.scrollWidth <= innerWidth")


def test_who_comes_too_late_is_told_that_it_is_full(
    window: Browser, page: LivePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewers, "MAX_VIEWERS", 0)
    window.open(f"http://127.0.0.1:{page.port}/")
    window.wait_for("return document.body.innerText.includes('are looking already')")
    monkeypatch.undo()
    window.wait_for("return document.getElementById('gone').hidden")
